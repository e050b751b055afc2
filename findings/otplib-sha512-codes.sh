#!/usr/bin/env bash
# otplib 12 makes codes that no authenticator app shows when SHA-512 is chosen, or SHA-256 with its own default secret.
#
# Expected: the key of the HMAC is the decoded secret, as RFC 6238 has it; so the app that scanned keyuri(), which names the
#   algorithm, shows the code that generate() makes. The same secret gives the same code after an upgrade.
# Happens: authenticator repeats a secret that is shorter than it thinks the hash needs, counted in hexadecimal digits: any
#   below 32 bytes with SHA-512, below 16 with SHA-256, of which generateSecret() makes 10. otplib 13 and otpauth, which use
#   the secret as it is, have other codes. SHA-1, and SHA-256 with 20 bytes, are alike.
# Who is hurt: somebody who scans the picture and types the code of the app is told that it is wrong, while tests with otplib
#   on both sides pass; after the upgrade to 13 whatever makes codes with 12 is refused.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact otplib@12.0.1 otplib13@npm:otplib@13.5.0 otpauth@9.5.2
cat > show.cjs <<'EOF'
const { authenticator } = require('otplib');
const otplib13 = require('otplib13');
const { URI } = require('otpauth');
console.log('codes at 00:00:59 of 1970 by otplib 12.0.1, otplib 13.5.0 and otpauth 9.5.2:');
const length = authenticator.decode(authenticator.generateSecret()).length / 2;
console.log(`generateSecret() of otplib 12.0.1 has ${length} bytes`);
let changed = length !== 10;
for (const [bytes, algorithm, alike] of [
  [10, 'sha1', true], [10, 'sha256', false], [10, 'sha512', false],
  [20, 'sha1', true], [20, 'sha256', true], [20, 'sha512', false],
  [32, 'sha256', true], [32, 'sha512', true],
]) {
  const secret = authenticator.encode(Buffer.from('12345678901234567890123456789012').toString('hex', 0, bytes));
  authenticator.options = { algorithm, epoch: 59_000 };
  const old = authenticator.generate(secret);
  const guardrails = otplib13.createGuardrails({ MIN_SECRET_BYTES: 10 });
  const next = otplib13.generateSync({ secret, algorithm, epoch: 59, guardrails });
  const app = URI.parse(authenticator.keyuri('ada', 'Acme', secret)).generate({ timestamp: 59_000 });
  console.log(`${algorithm}, ${bytes} bytes: ${old} ${next} ${app}`);
  changed ||= next !== app || (old === app) !== alike;
}
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
