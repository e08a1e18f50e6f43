import type { RenderedResource } from '../render/render.ts'

/** What one proxy can see of one type now. */
export interface TypeView {
  /** The names that `*` stands for. */
  wildcard(): readonly string[]
  resource(name: string): RenderedResource | undefined
  /** Equal for two views that are the same throughout; undefined: compare name by name. */
  readonly version: string | undefined
}

/** What a response is to carry. */
export interface Plan {
  readonly upserts: readonly RenderedResource[]
  /** Asked for and not there: to be said at once. */
  readonly absent: readonly string[]
  /** Was there and is gone: to be said when nothing points there any more. */
  readonly removals: readonly string[]
}

/** What the client was told about one name. `version` "": that there is no such resource. */
interface Told {
  readonly version: string
  /** Grows with every state of the mesh that this stream has seen: which one it was told of. */
  readonly state: number
  /** Undefined: the client said that it holds this version, and it is not the present one. */
  readonly resource: RenderedResource | undefined
}

/**
 * One type on one delta stream: what the client wants, what it was told, what it acknowledged. Knows nothing of other types and sends
 * nothing itself. Source: Envoy, xDS protocol, "Incremental xDS" and "How the client specifies what resources to return".
 */
export class Subscription {
  #seen = false
  #wildcard = false
  readonly #explicit = new Set<string>()
  readonly #told = new Map<string, Told>()
  readonly #acked = new Map<string, Told>()
  readonly #rejected = new Map<string, string>()
  /** Names that need an answer even if the client seems to know it. */
  readonly #due = new Set<string>()
  #mustAnswer = false
  #plannedVersion: string | undefined
  #inFlight: { readonly nonce: string; readonly told: ReadonlyMap<string, Told>; readonly sentMs: number } | undefined

  /** Takes the subscription part of a request. Honoured even in a request with a stale nonce. */
  change(request: {
    readonly resourceNamesSubscribe: readonly string[]
    readonly resourceNamesUnsubscribe: readonly string[]
    readonly initialResourceVersions: Readonly<Record<string, string>>
  }): void {
    const { resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: unwanted } = request
    const first = !this.#seen
    this.#seen = true
    if (first && wanted.length === 0 && unwanted.length === 0) this.#wildcard = true
    const claimed = first ? Object.entries(request.initialResourceVersions) : []
    for (const name of wanted) this.#subscribe(name)
    for (const name of unwanted) this.#unsubscribe(name)
    for (const [name, version] of claimed) {
      if (!this.#wildcard && !this.#explicit.has(name)) continue
      this.#told.set(name, { version, state: 0, resource: undefined })
      this.#acked.set(name, { version, state: 0, resource: undefined })
      this.#due.delete(name)
    }
    if (first && this.#wildcard && claimed.length === 0) this.#mustAnswer = true
    this.#plannedVersion = undefined
  }

  #subscribe(name: string): void {
    if (name === '*') {
      if (!this.#wildcard) this.#mustAnswer = true
      this.#wildcard = true
      return
    }
    this.#explicit.add(name)
    this.#due.add(name)
  }

  #unsubscribe(name: string): void {
    if (name === '*') {
      this.#wildcard = false
      for (const known of Array.from(this.#told.keys())) if (!this.#explicit.has(known)) this.#forget(known)
      return
    }
    if (!this.#explicit.delete(name)) return
    // The wildcard may cover it still: the client must hear whether it does.
    if (this.#wildcard) this.#due.add(name)
    else this.#forget(name)
  }

  #forget(name: string): void {
    this.#told.delete(name)
    this.#acked.delete(name)
    this.#rejected.delete(name)
    this.#due.delete(name)
  }

  /** What there is to say now. Cheap when nothing changed. */
  plan(view: TypeView): Plan {
    const settled = this.#due.size === 0 && view.version !== undefined && view.version === this.#plannedVersion
    if (!this.#seen || settled) return nothing
    const upserts: RenderedResource[] = []
    const absent: string[] = []
    const removals: string[] = []
    const wanted = new Set(this.#explicit)
    if (this.#wildcard) for (const name of view.wildcard()) wanted.add(name)
    for (const name of wanted) {
      const resource = view.resource(name)
      const told = this.#told.get(name)
      const due = this.#due.has(name)
      if (resource === undefined) {
        if (due) absent.push(name)
        else if (told !== undefined && told.version !== '') removals.push(name)
      } else if (due || told?.version !== resource.version) upserts.push(resource)
      else if (told.resource === undefined) this.#recognize(name, resource)
    }
    for (const name of this.#due) if (!wanted.has(name)) absent.push(name)
    for (const [name, { version }] of this.#told) {
      if (!wanted.has(name) && version !== '' && !this.#due.has(name)) removals.push(name)
    }
    if (upserts.length === 0 && absent.length === 0 && removals.length === 0) this.#plannedVersion = view.version
    return { upserts, absent, removals }
  }

  /** The version that the client brought along is the present one. */
  #recognize(name: string, resource: RenderedResource): void {
    const known: Told = { version: resource.version, state: this.#told.get(name)?.state ?? 0, resource }
    this.#told.set(name, known)
    if (this.#acked.has(name)) this.#acked.set(name, known)
  }

  /** The first answer of a wildcard is owed even if it is empty: the client waits for it. */
  get owesAnswer(): boolean {
    return this.#mustAnswer
  }

  /** A response is out; the next one has to wait until it is settled. */
  sent(
    nonce: string,
    upserts: readonly RenderedResource[],
    removed: readonly string[],
    { nowMs, state }: { readonly nowMs: number; readonly state: number },
  ): void {
    const told = new Map<string, Told>()
    for (const resource of upserts) told.set(resource.name, { version: resource.version, state, resource })
    for (const name of removed) told.set(name, { version: '', state, resource: undefined })
    for (const [name, one] of told) {
      this.#due.delete(name)
      this.#told.set(name, one)
    }
    this.#mustAnswer = false
    this.#inFlight = { nonce, told, sentMs: nowMs }
  }

  /** Takes the ACK or NACK of a request. Undefined: it settles nothing (no nonce, or a stale one). */
  settle(nonce: string, error: string | undefined): { readonly sentMs: number } | undefined {
    const flight = this.#inFlight
    if (flight === undefined || nonce !== flight.nonce) return undefined
    this.#inFlight = undefined
    const bad = error === undefined ? new Set<string>() : rejectedNames(error, [...flight.told.keys()])
    for (const [name, one] of flight.told) {
      if (bad.has(name) && error !== undefined) this.#rejected.set(name, error)
      else this.#accept(name, one)
    }
    return flight
  }

  #accept(name: string, one: Told): void {
    this.#rejected.delete(name)
    if (one.version === '') {
      this.#acked.delete(name)
      // An explicit name stays known as absent, so that its coming is news; of any other there is nothing left to know.
      if (!this.#explicit.has(name) && this.#told.get(name) === one) this.#told.delete(name)
    } else if (this.#told.has(name)) this.#acked.set(name, one)
  }

  /** Says the answer for `name` again if the client wants it: EDS after a change of its cluster. */
  repeat(name: string): void {
    if (this.#explicit.has(name) || (this.#wildcard && this.#told.has(name))) this.#due.add(name)
  }

  /** Between a response and its ACK or NACK. */
  get inFlight(): boolean {
    return this.#inFlight !== undefined
  }

  /** What the client does not serve yet as `view` has it: name → version, "" for what is to go. */
  unserved(view: TypeView): ReadonlyMap<string, string> {
    const { upserts, absent, removals } = this.plan(view)
    return new Map([
      ...Array.from(this.#inFlight?.told ?? [], ([name, { version }]) => [name, version] as const),
      ...upserts.map(({ name, version }) => [name, version] as const),
      ...[...absent, ...removals].map((name) => [name, ''] as const),
    ])
  }

  /** Whether the client has this version by its own word, or one of the state `since` or newer; else why it refused it, or false. */
  serves(name: string, version: string, since: number): boolean | { readonly refused: string } {
    if (!this.#wildcard && !this.#explicit.has(name)) return true
    const meets = (one: Told | undefined): boolean =>
      one !== undefined && (one.version === version || one.state >= since)
    if (meets(this.#acked.get(name))) return true
    if (this.#inFlight?.told.has(name) === true) return false
    const told = this.#told.get(name)
    const reason = this.#rejected.get(name)
    if (reason !== undefined) return meets(told) ? { refused: reason } : false
    // What is gone leaves nothing behind, or the knowledge that it is not there.
    return told === undefined ? version === '' : told.version === '' && meets(told)
  }

  /** Ever asked for on this stream. */
  get active(): boolean {
    return this.#seen
  }

  /** The names that are asked for one by one. */
  get explicit(): ReadonlySet<string> {
    return this.#explicit
  }

  /** How many names are asked for one by one: bounded by whoever feeds this. */
  get explicitCount(): number {
    return this.#explicit.size
  }

  /** Resources that the client holds, by its own word. */
  get heldCount(): number {
    return this.#acked.size
  }

  get rejected(): readonly { readonly name: string; readonly reason: string }[] {
    return Array.from(this.#rejected, ([name, reason]) => ({ name, reason }))
  }

  /** Whether some version that the client has, or may still get from what is on its way, offers this workload. */
  mayCall(workload: string): boolean {
    const offers = (one: Told): boolean =>
      one.version !== '' && (one.resource === undefined || one.resource.offers.has(workload))
    for (const one of this.#acked.values()) if (offers(one)) return true
    for (const one of this.#told.values()) if (offers(one)) return true
    return false
  }
}

const nothing: Plan = { upserts: [], absent: [], removals: [] }

/** The names that a refusal speaks of; all of them when it speaks of none. */
function rejectedNames(error: string, names: readonly string[]): ReadonlySet<string> {
  const named = names.filter((name) => mentions(error, name))
  return new Set(named.length > 0 ? named : names)
}

/** As a word of its own: "default/web/80" is not meant by "default/web/8080". */
function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    if (!partOfName.test(text[at - 1] ?? '') && !partOfName.test(text[at + name.length] ?? '')) return true
  }
  return false
}
const partOfName = /[\w/-]/
