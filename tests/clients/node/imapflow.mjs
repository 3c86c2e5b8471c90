// imapflow: sign in with a token, read, labels, IDLE, a bad token, reconnecting after the session's end.
// Settings come from PILLARBOX_* and TEST_*; prints one JSON line of what was seen.
import fs from 'node:fs'
import { ImapFlow } from 'imapflow'

const env = process.env
const client = (accessToken) => new ImapFlow({
  host: 'localhost', port: Number(env.PILLARBOX_IMAP_PORT), secure: true, logger: false,
  tls: { ca: fs.readFileSync(env.PILLARBOX_CA) },
  auth: { user: env.TEST_USER, accessToken }
})

const seen = {}
const bad = client('wrong')
try {
  await bad.connect()
} catch (error) {
  bad.close()
  seen.refused = { authenticationFailed: error.authenticationFailed, oauthError: error.oauthError }
}

const good = client(env.TEST_TOKEN)
await good.connect()
seen.gmail = good.capabilities.has('X-GM-EXT-1')
const lock = await good.getMailboxLock('INBOX')
await good.append('INBOX', fs.readFileSync(env.TEST_MESSAGE), ['\\Seen'])
const message = await good.fetchOne('*', { envelope: true, bodyStructure: true, flags: true, labels: true, threadId: true, source: true })
seen.subject = message.envelope.subject
seen.flags = [...message.flags]
seen.emailId = message.emailId
seen.same = message.source.equals(fs.readFileSync(env.TEST_MESSAGE))
await good.messageFlagsAdd(message.uid, ['Later'], { uid: true, useLabels: true })
seen.labels = [...(await good.fetchOne(message.uid, { labels: true }, { uid: true })).labels]
seen.search = await good.search({ subject: message.envelope.subject }, { uid: true })
seen.moved = (await good.messageMove(message.uid, '[Gmail]/Trash', { uid: true })).destination
lock.release()
seen.special = (await good.list()).filter((box) => box.specialUse).map((box) => box.specialUse).sort()

// IDLE: the driver delivers mail when it sees "idling", and moves the clock when it sees "exists".
await good.mailboxOpen('INBOX')
const exists = new Promise((resolve) => good.once('exists', resolve))
const closed = new Promise((resolve) => good.once('close', resolve))
good.on('error', () => {})
good.idle().catch(() => {})
console.log('idling')
seen.exists = (await exists).count
console.log('exists')
await closed
const again = client(env.TEST_SECOND_TOKEN)
await again.connect()
seen.reconnected = (await again.status('INBOX', { messages: true })).messages
await again.logout()
console.log(JSON.stringify(seen))
