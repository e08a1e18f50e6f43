import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spellHead } from './header-case.ts'

const head =
  'GET /a:b?c:d HTTP/1.1\r\nhost: web:80\r\nX-oDD: a: b\r\nfoo$b#$are: x\r\nx_y: 1\r\ncontent-length: 1\r\n\r\n'

test('all names in words: a letter is large at the beginning and behind what is none', () => {
  assert.equal(
    spellHead(head, 'words'),
    'GET /a:b?c:d HTTP/1.1\r\nHost: web:80\r\nX-Odd: a: b\r\nFoo$B#$Are: x\r\nX_Y: 1\r\nContent-Length: 1\r\n\r\n',
  )
})

test('kept: only those of the connection itself are written in words', () => {
  assert.equal(
    spellHead(head, 'kept'),
    'GET /a:b?c:d HTTP/1.1\r\nHost: web:80\r\nX-oDD: a: b\r\nfoo$b#$are: x\r\nx_y: 1\r\nContent-Length: 1\r\n\r\n',
  )
})

test('nothing said: the head is as it is', () => assert.equal(spellHead(head, undefined), head))
