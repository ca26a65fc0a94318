// An OpenID provider that is not ours, for the tests of the command-line wallet: `oidc-provider` with its development
// pages, where any name and any password log in. Prints its issuer as one JSON line and serves until it is killed.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

// New keys at each start; the wallet and the nodes find them by discovery.
const keys = [
  ['rsa', { modulusLength: 2048 }, 'RS256'],
  ['ec', { namedCurve: 'P-256' }, 'ES256'],
  ['ed25519', undefined, 'EdDSA'],
  ['rsa', { modulusLength: 2048 }, 'PS256'],
].map(([type, options, alg]) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  kid: alg,
  use: 'sig',
}));

// An installed app: no secret, the loopback redirect on any port (RFC 8252).
const installed = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code'],
  response_types: ['code'],
};
// What the tests must know is in this file alone; nothing here is a secret.
const clients = [
  { ...installed, client_id: 'wallet' },
  { ...installed, client_id: 'wallet-eddsa', id_token_signed_response_alg: 'EdDSA' },
  {
    ...installed,
    client_id: 'wallet-secret',
    client_secret: 'not kept very well, as in every installed app',
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: 'ES256',
  },
  // Nodes do not take this one's tokens.
  { ...installed, client_id: 'wallet-ps256', id_token_signed_response_alg: 'PS256' },
  // In no list of audiences.
  { ...installed, client_id: 'other-app' },
  // Its requests arrive with another nonce, see below.
  { ...installed, client_id: 'wallet-nonce' },
];

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    cookies: { keys: ['of a provider that is thrown away'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA', 'PS256'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true }),
    }),
    jwks: { keys },
    pkce: { required: () => true },
  });
  // A provider that signs a nonce which the app did not send.
  provider.use((ctx, next) => {
    if (ctx.path === '/auth' && ctx.query.client_id === 'wallet-nonce') {
      ctx.query = { ...ctx.query, nonce: 'another-nonce' };
    }
    return next();
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
