/**
 * How names of fields are written over HTTP/1. Words: `Content-Type`, all of them. Kept: as whoever sent them wrote them, and those of the
 * connection itself (Host, Content-Length, Connection) in words. xDS: HeaderKeyFormat, proper_case_words and preserve_case.
 */
export type HeaderCase = 'words' | 'kept'
