/**
 * A file system that answers nothing, as a hard mount of a dead server does: who looks into it waits
 * until this program ends. It answers only the kernel's first FUSE request.
 *
 * Usage: hung_file_system.ts DIRECTORY; prints `mounted`, and runs until it is ended
 */

const libc = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
});
const { open, mount, read, write } = libc.symbols;

const O_RDWR = 2;
/** Of `struct fuse_out_header`, and with `struct fuse_init_out` of protocol 7.31 behind it. */
const HEADER_BYTES = 16;
const ANSWER_BYTES = HEADER_BYTES + 64;

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

const fd = open(text("/dev/fuse"), O_RDWR);
const options = `fd=${fd},rootmode=40000,user_id=0,group_id=0,allow_other`;
const directory = Deno.args[0]!;
if (fd < 0 || mount(text("hung"), text(directory), text("fuse"), 0n, text(options)) !== 0) {
  throw new Error(`cannot mount a FUSE file system at ${directory}`);
}
const request = new Uint8Array(65536);
read(fd, request, BigInt(request.length));
const unique = new DataView(request.buffer).getBigUint64(8, true);
const answer = new DataView(new ArrayBuffer(ANSWER_BYTES));
answer.setUint32(0, ANSWER_BYTES, true);
answer.setBigUint64(8, unique, true);
[7, 31, 0, 0].forEach((value, i) => answer.setUint32(HEADER_BYTES + 4 * i, value, true));
answer.setUint16(HEADER_BYTES + 16, 12, true);
answer.setUint16(HEADER_BYTES + 18, 9, true);
answer.setUint32(HEADER_BYTES + 20, 131_072, true);
answer.setUint32(HEADER_BYTES + 24, 1, true);
write(fd, new Uint8Array(answer.buffer), BigInt(ANSWER_BYTES));
Deno.stdout.writeSync(new TextEncoder().encode("mounted\n"));
setInterval(() => {}, 1 << 30);
