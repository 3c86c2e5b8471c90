// nodemailer: sends with a token, with a refresh token that it redeems itself, over 465 and 587; shows a refusal.
import fs from 'node:fs'
import nodemailer from 'nodemailer'

const env = process.env
const ca = fs.readFileSync(env.PILLARBOX_CA)
const transport = (port, auth) => nodemailer.createTransport({
  host: 'localhost', port: Number(port), secure: port === env.PILLARBOX_SMTPS_PORT, requireTLS: true,
  tls: { ca }, auth: { type: 'OAuth2', user: env.TEST_USER, ...auth }
})
const mail = (subject) => ({ from: env.TEST_USER, to: env.TEST_TO, subject, text: 'It works.' })

const seen = { accepted: [] }
for (const port of [env.PILLARBOX_SMTPS_PORT, env.PILLARBOX_SUBMISSION_PORT]) {
  seen.accepted.push((await transport(port, { accessToken: env.TEST_TOKEN }).sendMail(mail(`Token ${port}`))).accepted)
}
// Its token requests are trusted through NODE_EXTRA_CA_CERTS.
const refreshed = await transport(env.PILLARBOX_SMTPS_PORT, {
  clientId: env.PILLARBOX_CLIENT_ID, clientSecret: env.PILLARBOX_CLIENT_SECRET,
  refreshToken: env.TEST_REFRESH_TOKEN, accessUrl: env.PILLARBOX_TOKEN_URL
}).sendMail(mail('Refreshed'))
seen.accepted.push(refreshed.accepted)
try {
  await transport(env.PILLARBOX_SMTPS_PORT, { accessToken: 'wrong' }).sendMail(mail('Refused'))
} catch (error) {
  seen.refused = { code: error.code, responseCode: error.responseCode }
}
console.log(JSON.stringify(seen))
