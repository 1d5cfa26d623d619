// A ZIP archive of files as they are, uncompressed: PNG and JPEG would not get smaller (PKWARE's APPNOTE, 4.3.6).
const CRC = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  CRC[byte] = value;
}

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const [MOST_BYTES, MOST_FILES] = [2 ** 32 - 1, 2 ** 16 - 1]; // of the plain form

/** files: [{name, blob}] -> Blob, made of theirs: the bytes of one at a time are in memory. Null where they are too many. */
export async function zip(files) {
  const [parts, directory] = [[], []];
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const label = new TextEncoder().encode(name);
    const about = [20, 0x0800, 0, 0, 0x21, crc32(bytes), bytes.length, bytes.length, label.length, 0]; // UTF-8, stored, 1980-01-01
    const local = fields([0x04034b50, ...about], [4, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2]);
    parts.push(local, label, blob);
    directory.push(fields([0x02014b50, 20, ...about, 0, 0, 0, 0, offset], [4, 2, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4]), label);
    offset += local.length + label.length + bytes.length;
  }
  if (files.length > MOST_FILES || offset > MOST_BYTES) return null;
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = fields([0x06054b50, 0, 0, files.length, files.length, size, offset, 0], [4, 2, 2, 2, 2, 4, 4, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** Little-endian numbers of the sizes given. */
function fields(values, sizes) {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  values.forEach((value, i) => {
    if (sizes[i] === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += sizes[i];
  });
  return bytes;
}
