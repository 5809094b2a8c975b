/**
 * The names that appear in directories, from inotify(7): the kernel queues every one, however short
 * the life of the file, where a loop that lists the directory misses what came and went between two
 * looks. Deno.watchFs will not do: it drops events when more than a few are pending.
 */

const LIBC = {
  inotify_init1: { parameters: ["i32"], result: "i32" },
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const IN_NONBLOCK = 0o4000;
const IN_CLOEXEC = 0o2000000;
const IN_CREATE = 0x100;
const IN_MOVED_TO = 0x80;
const IN_ONLYDIR = 0x1000000;
const IN_Q_OVERFLOW = 0x4000;
/** struct inotify_event without its name: wd, mask, cookie, len, each of 4 bytes. */
const HEADER_BYTES = 16;

export interface Appeared {
  directory: string;
  name: string;
}

export interface DirectoryWatch extends Disposable {
  /** What has appeared since the last call, in order; returns at once. */
  take(): Appeared[];
}

/** Watches directories, which must be there, from now on. */
export function watchDirectories(directories: string[]): DirectoryWatch {
  const libc = Deno.dlopen("libc.so.6", LIBC);
  const fd = libc.symbols.inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  const close = () => {
    if (fd >= 0) libc.symbols.close(fd);
    libc.close();
  };
  const watched = new Map<number, string>();
  for (const directory of directories) {
    const path = new TextEncoder().encode(`${directory}\0`);
    const mask = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;
    const wd = fd < 0 ? -1 : libc.symbols.inotify_add_watch(fd, path, mask);
    if (wd < 0) {
      close();
      throw new Error(`inotify cannot watch ${directory}`);
    }
    watched.set(wd, directory);
  }
  const buffer = new Uint8Array(65536);
  return {
    take() {
      const appeared: Appeared[] = [];
      // The queue is empty when read() fails, here with EAGAIN.
      for (let size; (size = Number(libc.symbols.read(fd, buffer, BigInt(buffer.length)))) > 0;) {
        appeared.push(...eventsIn(buffer.subarray(0, size), watched));
      }
      return appeared;
    },
    [Symbol.dispose]: close,
  };
}

function eventsIn(bytes: Uint8Array, watched: Map<number, string>): Appeared[] {
  const events: Appeared[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const [wd, mask, length] = [0, 4, 12].map((offset) => view.getInt32(at + offset, true));
    if (mask! & IN_Q_OVERFLOW) throw new Error("inotify lost events");
    const name = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length!);
    at += HEADER_BYTES + length!;
    const directory = watched.get(wd!);
    // IN_IGNORED, when a directory goes, has no name.
    if (directory === undefined || length === 0) continue;
    events.push({ directory, name: new TextDecoder().decode(name).replace(/\0+$/, "") });
  }
  return events;
}
