#!/usr/bin/env bash
# scim-patch (npm): adding a middle name without a path removes the first and the last one.
#
# Expected: without a path the attributes in the value are added to the resource (RFC 7644, 3.5.2.1); name is a complex one, of
#   which a patch adds or replaces those sub-attributes that it names, and leaves the others (3.5.2.3). So the answer is the
#   same as with the path "name".
# Happens: with the path it is so. Without it the whole of name is replaced, for add and for replace, and what the patch
#   does not name is gone, without an error. Attributes with several values are right: add appends to emails.
# Who is hurt: an identity provider that sends its changes without a path, as several do: one corrected part of a name or of
#   a manager, and the others are lost in every account that was touched.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --save-exact scim-patch@0.8.3
cat > show.cjs <<'EOF'
const { scimPatch } = require('scim-patch');
const value = { middleName: 'King' };
const whole = { givenName: 'Ada', familyName: 'Lovelace', middleName: 'King' };
console.log('scim-patch', require('scim-patch/package.json').version);
let changed = false;
for (const [operation, known] of [
  [{ op: 'add', path: 'name', value }, whole],
  [{ op: 'replace', path: 'name', value }, whole],
  [{ op: 'add', value: { 'name.middleName': 'King' } }, whole],
  [{ op: 'add', value: { name: value } }, value],
  [{ op: 'replace', value: { name: value } }, value],
]) {
  const user = {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    userName: 'ada',
    name: { givenName: 'Ada', familyName: 'Lovelace' },
    emails: [{ value: 'ada@example.org' }],
    meta: { resourceType: 'User' },
  };
  const { name } = scimPatch(user, [operation]);
  console.log(`${JSON.stringify(operation)}: ${JSON.stringify(name)}`);
  changed ||= JSON.stringify(name) !== JSON.stringify(known);
}
const user = { schemas: [], userName: 'ada', emails: [{ value: 'ada@example.org' }], meta: {} };
const { emails } = scimPatch(user, [{ op: 'add', value: { emails: [{ value: 'al@example.org' }] } }]);
console.log(`an address added without a path: ${emails.length} of them`);
changed ||= emails.length !== 2;
if (changed) { console.log('CHANGED'); process.exit(1); }
EOF
node show.cjs
