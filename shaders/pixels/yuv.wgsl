// A pixel of luma and chroma made red, green and blue, rounded to bytes as a decoder gives them. Chroma stands in the middle of its four pixels and
// is interpolated: of a pixel's four nearest samples the nearest counts 9/16, its neighbours 3/16, the farthest 1/16. All in whole numbers.
// Needs i420.wgsl or nv12.wgsl, for `chroma(column, row)`. rows: 12 bytes of a row of luma, 13 its first byte; 18 and 19 columns and rows of
// chroma; 20 what luma starts at, 21 its factor, 22 of V in red, 23 of U in green, 24 of V in green, 25 of U in blue (i32, 16 places).
fn pixel(column: u32, row: u32) -> vec3i {
  let most = vec2u(rows[18], rows[19]) - 1u;
  let near = vec2u(column, row) / 2u;
  let odd = vec2u(column, row) % 2u;
  // The neighbour of an even pixel's chroma is the one before it; at 0 it is itself.
  let far = min(near + odd - select(vec2u(), vec2u(1u), (odd == vec2u()) & (near > vec2u())), most);
  let sixteenths = 9 * chroma(near.x, near.y) + 3 * (chroma(far.x, near.y) + chroma(near.x, far.y)) + chroma(far.x, far.y) - 16 * 128;
  let luma = 16 * (byte_at(rows[13] + row * rows[12] + column) - i32(rows[20])) * i32(rows[21]);
  let red = i32(rows[22]) * sixteenths.y;
  let green = i32(rows[23]) * sixteenths.x + i32(rows[24]) * sixteenths.y;
  let blue = i32(rows[25]) * sixteenths.x;
  return clamp((luma + vec3i(red, green, blue) + (1 << 19u)) >> vec3u(20u), vec3i(), vec3i(255));
}

fn byte_at(byte: u32) -> i32 { return i32((source[byte / 4u] >> (8u * (byte % 4u))) & 255u); }
