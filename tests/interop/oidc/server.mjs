// An OpenID server for the suite: one client with a secret, one that logs in by a device code and has refresh tokens that
// rotate. It listens on a free loopback port, prints its address, and ends with its process.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'machine',
        client_secret: 'a secret: with/odd+characters',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'person',
        token_endpoint_auth_method: 'none',
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: { clientCredentials: { enabled: true }, deviceFlow: { enabled: true } },
    scopes: ['openid', 'offline_access', 'prompts'],
    issueRefreshToken: async (context, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    ttl: { AccessToken: 600, ClientCredentials: 600, RefreshToken: 3600, DeviceCode: 120, Grant: 3600, Session: 3600, Interaction: 120 },
  });
  server.on('request', provider.callback());
  console.log(`listening on ${issuer}`);
});
