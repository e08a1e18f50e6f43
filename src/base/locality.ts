/** Where an instance runs, from wide to narrow; "" where nobody says. */
export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subZone: string
}

const form = /^([A-Za-z0-9][-\w.]{0,62})(?:\/([A-Za-z0-9][-\w.]{0,62}))?(?:\/([A-Za-z0-9][-\w.]{0,62}))?$/

/** "region", "region/zone" or "region/zone/sub-zone", the form of Istio's `istio-locality`; undefined: it has another form. */
export function parseLocality(text: string): Locality | undefined {
  const [match, region = '', zone = '', subZone = ''] = form.exec(text) ?? []
  return match === undefined ? undefined : { region, zone, subZone }
}

/** The opposite, as far as it is said. */
export const formatLocality = ({ region, zone, subZone }: Locality): string =>
  [region, zone, subZone].join('/').replace(/\/+$/, '')

/** What to write, for messages. */
export const localityForm = '"region/zone/sub-zone", such as "eu/eu-1"'
