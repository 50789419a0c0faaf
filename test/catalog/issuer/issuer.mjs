// An OpenID Connect issuer: oidc-provider as it is, with its development pages, where any login and password will do. People
// are LOGIN@example.com; the client "pages" has a secret, and the client "ci" gets JSON Web Tokens, for the audience AUDIENCE if it asks for
// the resource urn:AUDIENCE. Prints its URL.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// The packages stand elsewhere.
const { default: Provider } = await import(pathToFileURL(createRequire(process.argv[2] + '/').resolve('oidc-provider')).href)

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more })
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'flox',
      token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/login/callback'],  // at any port: RFC 8252, section 7.3
      application_type: 'native',
      id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'pages',
      client_secret: 'pages-secret',
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/login/callback'],
      application_type: 'native',
    },
    { client_id: 'ci', client_secret: 'ci-secret', grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
  ],
  pkce: { required: () => true },
  jwks: { keys: [jwk('rsa', { modulusLength: 2048 }, { kid: 'rsa' }), jwk('ec', { namedCurve: 'P-256' }, { kid: 'ec' })] },
  cookies: { keys: ['test'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'unverified' }),
  }),
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'publish',
        audience: resource.slice('urn:'.length),
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
      }),
    },
  },
})
server.on('request', provider.callback())
console.log(issuer)
