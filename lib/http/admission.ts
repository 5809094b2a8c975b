/**
 * Who may connect: caps on connections in all and for each source.
 *
 * A source is an IPv4 address or an IPv6 /64; see `sourceOf` of address.ts. The cap for one source leaves room for the many
 * users behind a NAT and for the CA, whose perspectives come from few addresses at once.
 */

export interface AdmissionLimits {
  connections: number;
  perSource: number;
}

export type Admission = "admitted" | "full" | "source_full";

export class Admissions {
  #total = 0;
  #bySource = new Map<string, number>();

  constructor(public limits: AdmissionLimits) {}

  get total(): number {
    return this.#total;
  }

  /** More than half is taken: connections should not be kept for later requests. */
  get crowded(): boolean {
    return this.#total * 2 > this.limits.connections;
  }

  /** Takes a place for the source; {@link leave} must follow exactly when it was admitted. */
  enter(source: string): Admission {
    if (this.#total >= this.limits.connections) return "full";
    const taken = this.#bySource.get(source) ?? 0;
    if (taken >= this.limits.perSource) return "source_full";
    this.#total++;
    this.#bySource.set(source, taken + 1);
    return "admitted";
  }

  leave(source: string): void {
    const taken = this.#bySource.get(source) ?? 0;
    this.#total--;
    if (taken > 1) this.#bySource.set(source, taken - 1);
    else this.#bySource.delete(source);
  }
}
