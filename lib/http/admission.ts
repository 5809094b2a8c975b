/**
 * Which connections are accepted, and which are closed when connections run out.
 *
 * A newcomer is admitted, and one that only waits goes: first a kept connection without a request,
 * then the one that has waited longest for a complete head, of the source that holds most of those
 * that wait, then of the network that does; last one whose answer is sent already. So a flood
 * displaces itself, and a client that sends a whole request is answered, however many do not.
 *
 * A source is an IPv4 address or an IPv6 /64; see `sourceOf` of address.ts. The cap for one source
 * leaves room for the many users behind a NAT and for the CA, whose perspectives come from few
 * addresses at once. Every step takes constant time, because in a flood it runs thousands of times
 * a second.
 */

import { networksOf } from "../address.ts";
import { LinkedList, type ListEntry } from "../linked_list.ts";
import { type Ranked, SizeRanking } from "./size_ranking.ts";

export interface AdmissionLimits {
  connections: number;
  /** Infinity where no source is capped. */
  perSource: number;
}

/** Why a connection is refused: no other could be closed for it. */
export type Shortage = "full" | "source_full";

/** What a connection does at present. One that is being answered is never closed for another. */
export type Activity = "waiting" | "answering" | "idle" | "lingering";

/**
 * Numbers of waiting connections that count as equal, as a share of all connections and at most
 * this: beside thousands of sources with two each, a burst of the CA must not look like a flood.
 */
const SMALL_SHARE = 1 / 128;
const SMALL_HOLDING = 32;
/** The share of all connections that may linger after their answers. */
const LINGERING_SHARE = 1 / 8;

/** A network with its waiting connections, in the order in which they began to wait. */
class Group implements Ranked {
  entry: ListEntry<Ranked> | undefined;
  readonly waiting = new LinkedList<Place>();
  /** Connections of any activity; with the last one the group is forgotten. */
  held = 0;

  constructor(readonly key: string) {}

  get size(): number {
    return this.waiting.size;
  }
}

class Source extends Group {
  readonly idle = new LinkedList<Place>();

  /** @param groups itself and the networks that it lies in, the narrowest first */
  constructor(key: string, networks: Group[]) {
    super(key);
    this.groups = [this, ...networks];
  }

  readonly groups: Group[];
}

/** The part of a connection that admission needs. */
interface Guest {
  /** Ends it; the {@link Place.leave} of its place must follow before this returns. */
  abort(): void;
}

/** The place of one connection. */
export class Place {
  /** Its current activity, and the lists that it is in. */
  activity: Activity | "left" = "answering";
  entries: ListEntry<Place>[] = [];

  constructor(
    private readonly admissions: Admissions,
    readonly source: Source,
    readonly guest: Guest,
  ) {}

  /** Connections are short: this one should not be kept for later requests. */
  get crowded(): boolean {
    return this.admissions.crowded;
  }

  /** Sets the activity of the connection. */
  become(activity: Activity): void {
    this.admissions.change(this, activity);
  }

  /** The connection has ended. */
  leave(): void {
    this.admissions.change(this, "left");
  }
}

export class Admissions {
  #total = 0;
  /** Sources, the narrower networks, and the wider ones. */
  #groups = [new Map<string, Group>(), new Map<string, Group>(), new Map<string, Group>()];
  #rankings = this.#groups.map(() => new SizeRanking<Group>());
  #waiting = new LinkedList<Place>();
  #idle = new LinkedList<Place>();
  #lingering = new LinkedList<Place>();

  constructor(
    public limits: AdmissionLimits,
    /** Called for each connection that was closed for another. */
    private readonly onEvict: (activity: Activity) => void = () => {},
  ) {}

  get total(): number {
    return this.#total;
  }

  /** More than half is taken: connections should not be kept for later requests. */
  get crowded(): boolean {
    return this.#total * 2 > this.limits.connections;
  }

  /** A place for a connection of the source that waits for its first request. */
  enter(key: string, guest: Guest): Place | Shortage {
    const { connections, perSource } = this.limits;
    const known = this.#groups[0]!.get(key) as Source | undefined;
    if (known && known.held >= perSource && !this.#evict(known.idle.first ?? known.waiting.first)) {
      return "source_full";
    }
    if (this.#total >= connections && !this.makeRoom()) return "full";
    const place = new Place(this, this.#sourceOf(key), guest);
    this.#total++;
    for (const group of place.source.groups) group.held++;
    place.become("waiting");
    return place;
  }

  /** Closes the connection that matters least; false when there is none. */
  makeRoom(): boolean {
    return this.#evict(this.#idle.first ?? this.#longestWaiting() ?? this.#lingering.first);
  }

  /** For {@link Place}. */
  change(place: Place, activity: Activity | "left"): void {
    const { source } = place;
    if (place.activity === "left" || place.activity === activity) return;
    this.#unlist(place);
    place.activity = activity;
    if (activity === "waiting") {
      place.entries = [this.#waiting.push(place)];
      for (let level = 0; level < source.groups.length; level++) {
        const group = source.groups[level]!;
        place.entries.push(group.waiting.push(place));
        this.#rankings[level]!.grew(group);
      }
    } else if (activity === "idle") {
      place.entries = [source.idle.push(place), this.#idle.push(place)];
    } else if (activity === "lingering") {
      const most = Math.max(1, this.limits.connections * LINGERING_SHARE);
      if (this.#lingering.size >= most) this.#evict(this.#lingering.first);
      place.entries = [this.#lingering.push(place)];
    } else if (activity === "left") this.#forget(source);
  }

  #unlist({ activity, entries, source }: Place): void {
    if (activity === "waiting") {
      this.#waiting.remove(entries[0]!);
      for (let level = 0; level < source.groups.length; level++) {
        const group = source.groups[level]!;
        group.waiting.remove(entries[level + 1]!);
        this.#rankings[level]!.shrank(group);
      }
    } else if (activity === "idle") {
      source.idle.remove(entries[0]!);
      this.#idle.remove(entries[1]!);
    } else if (activity === "lingering") this.#lingering.remove(entries[0]!);
  }

  /** The one of the largest group, looking at sources first; of all when none holds many. */
  #longestWaiting(): Place | undefined {
    const small = Math.min(SMALL_HOLDING, this.limits.connections * SMALL_SHARE);
    for (const { largest } of this.#rankings) {
      if (largest && largest.size > Math.max(1, small)) return largest.waiting.first;
    }
    return this.#waiting.first;
  }

  #evict(place: Place | undefined): boolean {
    if (!place) return false;
    this.onEvict(place.activity as Activity);
    place.guest.abort();
    return true;
  }

  #sourceOf(key: string): Source {
    const [sources, ...networks] = this.#groups;
    const known = sources!.get(key);
    if (known) return known as Source;
    const groups = networksOf(key).map((network, i) => {
      const group = networks[i]!.get(network) ?? new Group(network);
      networks[i]!.set(network, group);
      return group;
    });
    const source = new Source(key, groups);
    sources!.set(key, source);
    return source;
  }

  #forget({ groups }: Source): void {
    this.#total--;
    groups.forEach((group, level) => {
      if (--group.held === 0) this.#groups[level]!.delete(group.key);
    });
  }
}
