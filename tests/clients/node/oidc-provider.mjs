// An OpenID provider that others wrote (npm oidc-provider), with people whose password nobody checks. Each line it is sent is a
// number of seconds by which its clock moves on. Ends with its parent.
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const clock = Date.now;
let ahead = 0;
Date.now = () => clock() + ahead;

const { port, tls, kid, redirect, lifetime, people, secret } = JSON.parse(process.env.PROVIDER);
const issuer = `https://localhost:${port}`;
// Read back from PEM: Node 20 waits for itself for ever where the maker of a key is collected while that very key is exported.
const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const key = { ...createPrivateKey(privateKey).export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };

const claims = (id) => people[id] ?? { email: `${id}@example.test`, email_verified: true };
const scope = "https://mail.google.com/ pillarbox:imap pillarbox:read corp:mail corp:calendar";
const program = (client_id, auth) => ({
  client_id,
  ...auth,
  application_type: "native",
  redirect_uris: ["http://127.0.0.1/back"],
  grant_types: ["authorization_code"],
  response_types: ["code"],
});

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  cookies: { keys: ["nobody needs to guess this"] },
  clients: [
    { client_id: "pillarbox", client_secret: secret, redirect_uris: [redirect] },
    program("mutt", { token_endpoint_auth_method: "none" }),
    program("opaque", { token_endpoint_auth_method: "none" }),
    { ...program("desktop", { token_endpoint_auth_method: "none" }), redirect_uris: ["http://127.0.0.1/"], grant_types: ["authorization_code", "refresh_token"] },
  ],
  scopes: ["openid", "email", "offline_access", ...scope.split(" ")],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...claims(id) }) }),
  extraTokenClaims: (_, token) => claims(token.accountId),
  ttl: { AccessToken: lifetime, IdToken: 600, Interaction: 600, Grant: 86400, Session: 86400 },
  features: {
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource, client) => ({
        scope,
        audience: resource,
        accessTokenTTL: lifetime,
        accessTokenFormat: client.clientId === "opaque" ? "opaque" : "jwt",
        jwt: { sign: { alg: "RS256", kid } },
      }),
    },
  },
});
provider.on("server_error", (_, error) => console.error(error));
const files = Object.fromEntries(Object.entries(tls).map(([name, path]) => [name, readFileSync(path)]));
createServer(files, provider.callback()).listen(port, "127.0.0.1", () => console.log("ready"));
const lines = createInterface({ input: process.stdin });
lines.on("line", (seconds) => {
  ahead += Number(seconds) * 1000;
  console.log("moved");
});
lines.on("close", () => process.exit(0));
