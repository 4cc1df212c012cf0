// A Vulkan driver that is Mesa's lavapipe under SwiftShader's name.
//
// Chromium runs WebGPU on a CPU only where the adapter says it is SwiftShader, and takes that driver from libvk_swiftshader.so beside its
// binary. This library takes that place: every call goes to lavapipe, except that the two ids of a device are answered as SwiftShader's.
// Dawn looks up one symbol, vkGetInstanceProcAddr. LAVAPIPE is the driver's path, set by chromium-lavapipe.mjs.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*Any)(void);
typedef Any (*Lookup)(void *instance, const char *name);
typedef int32_t (*Negotiate)(uint32_t *version);
typedef void (*Describe)(void *device, void *answer);

enum { PROPERTIES, PROPERTIES2, PROPERTIES2_KHR, LOOKUP, REPLACED };
static Any theirs[REPLACED];

// VkPhysicalDeviceProperties begins { apiVersion, driverVersion, vendorID, deviceID }.
static void claim_swiftshader(uint32_t *device_properties) {
  device_properties[2] = 0x1AE0;
  device_properties[3] = 0xC0DE;
}

// In VkPhysicalDeviceProperties2 the same struct comes after sType (padded to 8 bytes) and the pNext pointer.
static uint32_t *inside(void *properties2) { return (uint32_t *)((char *)properties2 + 8 + sizeof(void *)); }

static void properties(void *device, void *answer) {
  ((Describe)theirs[PROPERTIES])(device, answer);
  claim_swiftshader(answer);
}

static void properties2(void *device, void *answer) {
  ((Describe)theirs[PROPERTIES2])(device, answer);
  claim_swiftshader(inside(answer));
}

static void properties2_khr(void *device, void *answer) {
  ((Describe)theirs[PROPERTIES2_KHR])(device, answer);
  claim_swiftshader(inside(answer));
}

Any vkGetInstanceProcAddr(void *instance, const char *name);

static const struct { const char *name; Any ours; } replaced[REPLACED] = {
  [PROPERTIES] = { "vkGetPhysicalDeviceProperties", (Any)properties },
  [PROPERTIES2] = { "vkGetPhysicalDeviceProperties2", (Any)properties2 },
  [PROPERTIES2_KHR] = { "vkGetPhysicalDeviceProperties2KHR", (Any)properties2_khr },
  [LOOKUP] = { "vkGetInstanceProcAddr", (Any)vkGetInstanceProcAddr },
};

// Runs when Dawn opens this library. Drivers must be told the loader's interface version before anything else.
static Lookup lavapipe;
__attribute__((constructor)) static void open_lavapipe(void) {
  void *driver = dlopen(LAVAPIPE, RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    fprintf(stderr, "lavapipe-icd: %s\n", dlerror());
    return;
  }
  uint32_t version = 5;
  Negotiate negotiate = (Negotiate)dlsym(driver, "vk_icdNegotiateLoaderICDInterfaceVersion");
  if (negotiate) negotiate(&version);
  lavapipe = (Lookup)dlsym(driver, "vk_icdGetInstanceProcAddr");
}

__attribute__((visibility("default"))) Any vkGetInstanceProcAddr(void *instance, const char *name) {
  Any found = lavapipe ? lavapipe(instance, name) : 0;
  if (!found) return 0;
  for (int i = 0; i < REPLACED; i++) {
    if (strcmp(name, replaced[i].name) != 0) continue;
    theirs[i] = found;
    return replaced[i].ours;
  }
  return found;
}
