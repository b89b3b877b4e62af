// Asks the independent simulator for its decision on each generated case and prints the vectors.
//
//   npm install --prefix FOLDER @cloud-copilot/iam-simulate
//   python generate.py | node record.mjs FOLDER > policy_decisions.json
//
// The simulator is used at development time only, and is no part of this repository.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join, resolve } from 'node:path'

const ORACLE = '@cloud-copilot/iam-simulate'
const folder = resolve(process.argv[2])
const installed = join(folder, 'node_modules', ORACLE)
const version = JSON.parse(readFileSync(join(installed, 'package.json'))).version
const entry = createRequire(join(folder, 'package.json')).resolve(ORACLE)
const { runSimulation } = await import(pathToFileURL(entry))

const WORDS = { Allowed: 'allowed', ImplicitlyDenied: 'implicitDeny', ExplicitlyDenied: 'explicitDeny' }
const EXCLUDED = JSON.parse(readFileSync(new URL('excluded.json', import.meta.url)))
const named = (policy) => (policy ? [{ name: 'policy', policy }] : undefined)

async function decision(one) {
  const answer = await runSimulation(
    {
      request: {
        principal: one.principal,
        action: one.action,
        resource: { resource: one.resource, accountId: '123456789012' },
        contextVariables: one.context
      },
      identityPolicies: one.identity.map((policy, index) => ({ name: `policy-${index}`, policy })),
      permissionBoundaryPolicies: named(one.boundary),
      sessionPolicy: one.session,
      resourcePolicy: one.resource_policy,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    { simulationMode: 'Strict' }
  )
  const ignored = answer.result?.ignoredContextKeys ?? []
  if (answer.resultType !== 'single' || ignored.length > 0) {
    throw new Error(`the oracle cannot judge ${JSON.stringify(one)}: ${JSON.stringify(answer.errors ?? ignored)}`)
  }
  return WORDS[answer.overallResult]
}

const { seed, cases } = JSON.parse(readFileSync(0))
for (const { what, oracle, case: one } of EXCLUDED) {
  const said = await decision(one)
  if (said !== oracle) throw new Error(`no reason to exclude any more: ${what}: the oracle says ${said}`)
}
const lines = []
for (const one of cases) lines.push(JSON.stringify({ ...one, decision: await decision(one) }))
const header = { oracle: `${ORACLE} ${version} (npm)`, generator: 'generate.py', seed, excluded: EXCLUDED }
process.stdout.write(`${JSON.stringify(header, null, 1).slice(0, -2)},\n "cases": [\n${lines.join(',\n')}\n]}\n`)
