// A real OpenID Connect provider with a few made-up people, for the tests of signing in at one's organisation.
//
//   node provider.mjs NODE_MODULES REDIRECT_URI < people.json
//
// Prints its address. Tests change people, and what lies it tells, by POST /control.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'
import { text } from 'node:stream/consumers'

const [modules, redirect] = process.argv.slice(2)
const load = name => import(pathToFileURL(`${modules}/${name}`))
const { default: Provider } = await load('oidc-provider/lib/index.js')
const state = { people: JSON.parse(await text(process.stdin)), lie: '', renews: true }
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const server = createServer()
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'flip',
    client_secret: 'a-secret-of-the-tests',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: 'ES256',
    post_logout_redirect_uris: [redirect.replace('/oauth_callback', '/login')]
  }],
  jwks: { keys: [{ ...key.export({ format: 'jwk' }), kid: 'first', alg: 'ES256', use: 'sig' }] },
  claims: { openid: ['sub', 'amr', 'acr', 'auth_time'], profile: ['name', 'preferred_username', 'groups', 'organisation'], email: ['email', 'email_verified'] },
  cookies: { keys: ['tests'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, sub) => found(sub),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => state.renews,
  loadExistingGrant: granted,
  pkce: { required: () => true },
  rotateRefreshToken: true
})

function found (sub) {
  const person = state.people[sub]
  return person?.active === false || !person ? undefined : { accountId: sub, claims: () => ({ sub, ...person }) }
}

async function granted (ctx) {
  const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
  grant.addOIDCScope('openid profile email')
  await grant.save()
  return grant
}

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')

async function signed (header, claims, by) {
  const { SignJWT } = await load('jose/dist/webapi/index.js')
  return new SignJWT(claims).setProtectedHeader(header).sign(by)
}

// What a provider must never be believed: the same token with one thing wrong, well signed but for the last two.
async function lie (token) {
  const header = { alg: 'ES256', kid: 'first' }
  const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
  switch (state.lie) {
    case 'issuer': return signed(header, { ...claims, iss: 'https://elsewhere.example' }, key)
    case 'audience': return signed(header, { ...claims, aud: 'another-program' }, key)
    case 'expired': return signed(header, { ...claims, exp: claims.iat - 3600 }, key)
    case 'nonce': return signed(header, { ...claims, nonce: 'of-another-sign-in' }, key)
    case 'subject': return signed(header, { ...claims, sub: 'somebody-else' }, key)
    case 'key': return signed(header, claims, stranger)
    case 'none': return `${encode({ alg: 'none' })}.${encode(claims)}.`
    default: return token
  }
}

const callback = provider.callback()
server.on('request', async (request, response) => {
  if (request.url === '/control') {
    Object.assign(state, JSON.parse(await text(request)))
    response.end()
  } else if (request.url.startsWith('/interaction/')) {
    await interact(request, response)
  } else {
    if (request.url === '/token') altered(response)
    callback(request, response)
  }
})

function altered (response) {
  const end = response.end.bind(response)
  response.end = async body => {
    const answer = JSON.parse(body)
    if (answer.id_token) answer.id_token = await lie(answer.id_token)
    const content = JSON.stringify(answer)
    response.setHeader('content-length', Buffer.byteLength(content))
    end(content)
  }
}

async function interact (request, response) {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html')
    response.end('<form method="post"><input name="name"><input name="second"><button>Sign in</button></form>')
    return
  }
  const form = new URLSearchParams(await text(request))
  const amr = form.get('second') ? ['pwd', 'otp', 'mfa'] : ['pwd']
  await provider.interactionFinished(request, response, { login: { accountId: form.get('name'), amr } })
}

console.log(issuer)
