// A certified OpenID provider on a port of its own, with one client and people of any name. Prints its issuer.
// Takes the address that people are led back to; the client's secret is in SECRET.
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [redirect] = process.argv.slice(2);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "lockstep", client_secret: process.env.SECRET, redirect_uris: [redirect] }],
    scopes: ["openid", "profile", "email"],
    claims: { openid: ["sub"], profile: ["name", "groups"], email: ["email", "email_verified"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        name: `${id} of the provider`,
        email: `${id}@example.com`,
        email_verified: id !== "mallory",
        groups: id === "grace" ? ["ops", "of no meaning"] : [],
      }),
    }),
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
