// A strict relying party (npm openid-client) against the issuer: discovery, code with PKCE, pushed request, device, refresh,
// user info, introspection, revocation, proof of possession. The browser is a few lines of fetch that press the buttons of the pages.
import * as oidc from "openid-client";

const issuer = new URL(process.env.PILLARBOX_ISSUER);
const address = process.env.PILLARBOX_USER;
const mail = process.env.PILLARBOX_SCOPE;
const scope = `openid email ${mail}`;
const seen = {};

class Browser {
  cookie = "";
  async open(url, form) {
    const answer = await fetch(new URL(url, issuer), {
      method: form ? "POST" : "GET",
      body: form && new URLSearchParams(form),
      redirect: "manual",
      headers: this.cookie ? { cookie: this.cookie } : {},
    });
    const set = answer.headers.get("set-cookie");
    if (set) this.cookie = set.split(";")[0];
    const next = answer.headers.get("location");
    if (!next) return { page: await answer.text() };
    const to = new URL(next, issuer);
    return to.origin === issuer.origin ? this.open(to) : { left: to };
  }
  static field(page, name) {
    const found = page.match(new RegExp(`name="${name}" value="([^"]*)"`));
    return found[1].replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");
  }
  // Signs in if asked to, and allows.
  async allow(url, action) {
    let { page } = await this.open(url);
    if (page.includes('name="password"')) {
      ({ page } = await this.open("/signin", { address, password: "pillarbox", then: Browser.field(page, "then") }));
    }
    const form = { then: Browser.field(page, "then"), account: Browser.field(page, "account"), answer: "allow" };
    return this.open(action, form);
  }
}

const browser = new Browser();
const desktop = await oidc.discovery(issuer, "desktop", undefined, oidc.None());
oidc.enableNonRepudiationChecks(desktop);

async function code(config, build, options) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const url = await build(config, {
    redirect_uri: "http://127.0.0.1:51004/callback",
    scope,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    login_hint: address,
    max_age: "3600",
  });
  const { left } = await browser.allow(url, "/consent");
  return oidc.authorizationCodeGrant(config, left, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    maxAge: 3600,
    idTokenExpected: true,
  }, undefined, options);
}

const tokens = await code(desktop, oidc.buildAuthorizationUrl);
const claims = tokens.claims();
seen.email = claims.email;
await oidc.refreshTokenGrant(desktop, tokens.refresh_token); // as if its answer had been lost
const refreshed = await oidc.refreshTokenGrant(desktop, tokens.refresh_token);
seen.refreshed = refreshed.scope;
await oidc.refreshTokenGrant(desktop, refreshed.refresh_token);
seen.reuse = await oidc.refreshTokenGrant(desktop, tokens.refresh_token).catch((fault) => fault.error);

const pushed = await code(desktop, oidc.buildAuthorizationUrlWithPAR);
seen.pushed = pushed.scope;
seen.userinfo = (await oidc.fetchUserInfo(desktop, pushed.access_token, claims.sub)).email;

const web = await oidc.discovery(issuer, "web", undefined, oidc.ClientSecretBasic("pillarbox"));
const introspect = async (token) => (await oidc.tokenIntrospection(web, token)).active;
seen.introspected = (await oidc.tokenIntrospection(web, pushed.access_token)).username;
await oidc.tokenRevocation(desktop, pushed.refresh_token);
seen.revoked = [await introspect(pushed.access_token), await introspect(pushed.refresh_token)];

// The same with a key that never leaves the program (DPoP): the token is worth nothing without it.
const pair = await oidc.randomDPoPKeyPair("ES256");
const DPoP = oidc.getDPoPHandle(desktop, pair);
const bound = await code(desktop, (config, members) => oidc.buildAuthorizationUrlWithPAR(config, members, { DPoP }), { DPoP });
seen.boundType = bound.token_type;
seen.boundUser = (await oidc.fetchUserInfo(desktop, bound.access_token, claims.sub, { DPoP })).email;
const bearer = { headers: { authorization: `Bearer ${bound.access_token}` } };
seen.boundAsBearer = (await fetch(new URL("/v1/userinfo", issuer), bearer)).status;
const thief = { DPoP: oidc.getDPoPHandle(desktop, await oidc.randomDPoPKeyPair("Ed25519")) };
seen.boundStolen = await oidc.refreshTokenGrant(desktop, bound.refresh_token, {}, thief).catch((fault) => fault.error);
seen.boundRefreshed = (await oidc.refreshTokenGrant(desktop, bound.refresh_token, {}, { DPoP })).token_type;
seen.boundConfirmed = (await oidc.tokenIntrospection(web, bound.access_token)).cnf.jkt === (await DPoP.calculateThumbprint());

const tv = await oidc.discovery(issuer, "tv", undefined, oidc.None());
const device = await oidc.initiateDeviceAuthorization(tv, { scope });
const waiting = oidc.pollDeviceAuthorizationGrant(tv, device);
const typed = new URLSearchParams({ user_code: device.user_code.toLowerCase() });
await browser.allow(`/device/consent?${typed}`, "/device/consent");
const viewer = await waiting;
seen.device = viewer.scope;
seen.deviceToken = await introspect(viewer.access_token);

const refused = await oidc.initiateDeviceAuthorization(tv, { scope });
const answer = oidc.pollDeviceAuthorizationGrant(tv, refused).catch((fault) => fault.error);
await browser.open("/device/consent", { then: `user_code=${refused.user_code}`, answer: "cancel" });
seen.denied = await answer;

// One that asks too often is told so, and waits longer by itself (RFC 8628 §3.5).
const hasty = await oidc.initiateDeviceAuthorization(tv, { scope });
const asked = [];
tv[oidc.customFetch] = async (...request) => {
  const answer = await fetch(...request);
  const told = answer.ok ? "tokens" : (await answer.clone().json()).error;
  asked.push({ told, at: performance.now() });
  const allow = new URLSearchParams({ user_code: hasty.user_code });
  if (told === "slow_down") await browser.allow(`/device/consent?${allow}`, "/device/consent");
  return answer;
};
await oidc.pollDeviceAuthorizationGrant(tv, { ...hasty, interval: 1 });
seen.hasty = asked.map(({ told }) => told);
seen.waited = asked.at(-1).at - asked.at(-2).at;

console.log(JSON.stringify({ ...seen, token: viewer.access_token }));
