// A session of the AWS SDK for JavaScript with a server of ours.
//   node aws_session.mjs ENDPOINT FILES    FILES: folder with crm.csv, which the server may read and write
// Prints "FAIL: ..." for each thing that is wrong; exits with 1 if there was one.
import * as er from '@aws-sdk/client-entityresolution';

const [endpoint, files] = process.argv.slice(2);
const client = new er.EntityResolutionClient({
  endpoint,
  region: 'us-east-1',
  maxAttempts: 2,
  credentials: {
    accessKeyId: process.env.AWS_ACCESS_KEY_ID,
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
  },
});
let failures = 0;
const fail = (text) => {
  console.error(`FAIL: ${text}`);
  failures++;
};
const say = (name, input) => client.send(new er[`${name}Command`](input));
const is = (found, wanted, what) => {
  if (found !== wanted) fail(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
};
const refused = async (error, status, part, name, input) => {
  try {
    await say(name, input);
    fail(`${name}: not refused with ${error}`);
  } catch (e) {
    is(e.name, error, `${name}: the error (${e.message})`);
    is(e.$metadata?.httpStatusCode, status, `${name}: its status`);
    if (!e.message.includes(part)) fail(`${name}: "${e.message}" lacks "${part}"`);
    if (error in er && !(e instanceof er[error])) fail(`${name}: ${error} is not of its class`);
  }
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const arn = `file://${files}/crm.csv`;
const schema = {
  schemaName: 'people-schema',
  description: 'of the shop',
  mappedInputFields: [
    { fieldName: 'cid', type: 'UNIQUE_ID' },
    { fieldName: 'first', type: 'NAME_FIRST', matchKey: 'first_name' },
    { fieldName: 'last', type: 'NAME_LAST', matchKey: 'last_name' },
    { fieldName: 'mail', type: 'EMAIL_ADDRESS', matchKey: 'email' },
    { fieldName: 'dob', type: 'DATE', matchKey: 'dob' },
  ],
};
const workflow = (name, source) => ({
  workflowName: name,
  inputSourceConfig: [{ inputSourceARN: source, schemaName: 'people-schema', applyNormalization: true }],
  outputSourceConfig: [{ outputS3Path: `${files}/out-${name}`, output: [{ name: 'cid' }] }],
  resolutionTechniques: {
    resolutionType: 'RULE_MATCHING',
    ruleBasedProperties: {
      attributeMatchingModel: 'ONE_TO_ONE',
      rules: [
        { ruleName: 'same email', matchingKeys: ['email'] },
        { ruleName: 'name and birth', matchingKeys: ['last_name', 'dob'] },
      ],
    },
  },
  roleArn: 'arn:aws:iam::000000000000:role/any',
  tags: { team: 'crm' },
});
const record = (uniqueId, mail, source = arn) => ({
  inputSourceARN: source,
  uniqueId,
  recordAttributeMap: { first: 'Zoë', last: 'Quill', mail, dob: '1990-01-02' },
});
const people = { workflowName: 'people' };
const lookup = (mail) => say('GetMatchId', { ...people, record: { mail } });

// schema mappings
const made = await say('CreateSchemaMapping', schema);
is(made.schemaArn, 'arn:aws:entityresolution:us-east-1:000000000000:schemamapping/people-schema', 'schemaArn');
is(made.mappedInputFields.length, 5, 'attributes');
await refused('ConflictException', 409, 'exists', 'CreateSchemaMapping', schema);
await refused('ValidationException', 400, "Value 'a b' at 'schemaName'", 'CreateSchemaMapping', { ...schema, schemaName: 'a b' });
await refused('ResourceNotFoundException', 404, 'gone', 'GetSchemaMapping', { schemaName: 'gone' });
const got = await say('GetSchemaMapping', { schemaName: 'people-schema' });
if (!(got.createdAt instanceof Date) || Math.abs(got.createdAt - Date.now()) > 600e3) fail(`createdAt: ${got.createdAt}`);
is(got.hasWorkflows, false, 'hasWorkflows');

// matching workflows
is((await say('CreateMatchingWorkflow', workflow('people', arn))).workflowArn,
  'arn:aws:entityresolution:us-east-1:000000000000:matchingworkflow/people', 'workflowArn');
await refused('ConflictException', 409, 'exists', 'CreateMatchingWorkflow', workflow('people', arn));
await refused('ValidationException', 400, 'Glue', 'CreateMatchingWorkflow',
  workflow('glue', 'arn:aws:glue:us-east-1:000000000000:table/db/t'));
await refused('ConflictException', 409, 'used', 'DeleteSchemaMapping', { schemaName: 'people-schema' });
await refused('ConflictException', 409, 'used', 'UpdateSchemaMapping', schema);
is((await say('GetMatchingWorkflow', people)).tags.team, 'crm', 'the tag');
const resourceArn = 'arn:aws:entityresolution:us-east-1:000000000000:matchingworkflow/people';
await say('TagResource', { resourceArn, tags: { 'a b': 'c/d' } });
await say('UntagResource', { resourceArn, tagKeys: ['team', 'none'] });
is(JSON.stringify((await say('ListTagsForResource', { resourceArn })).tags), '{"a b":"c/d"}', 'tags');
is((await say('ListMatchingWorkflows', {})).workflowSummaries[0].workflowName, 'people', 'the list of workflows');
is((await say('ListSchemaMappings', { maxResults: 5 })).schemaList[0].hasWorkflows, true, 'the list of schema mappings');
await refused('ValidationException', 400, 'nextToken', 'ListSchemaMappings', { nextToken: 'AAAAAAAA' });

// a job
await refused('ResourceNotFoundException', 404, 'job', 'GetMatchId', { ...people, record: { mail: 'ann@example.com' } });
const { jobId } = await say('StartMatchingJob', people);
let job;
for (let i = 0; i < 600; i++) {
  job = await say('GetMatchingJob', { ...people, jobId });
  if (job.status === 'SUCCEEDED' || job.status === 'FAILED') break;
  await pause(100);
}
is(job.status, 'SUCCEEDED', `the job (${job.errorDetails?.errorMessage})`);
if (!(job.endTime >= job.startTime)) fail(`times of the job: ${job.startTime}, ${job.endTime}`);
if (job.metrics && !(job.metrics.matchIDs >= 1 && job.metrics.matchIDs <= 3)) fail(`MatchIds of the job: ${job.metrics.matchIDs}`);
is((await say('ListMatchingJobs', people)).jobs[0].jobId, jobId, 'the list of jobs');
await refused('ResourceNotFoundException', 404, 'no job', 'GetMatchingJob', { ...people, jobId: '0'.repeat(32) });
await say('CreateMatchingWorkflow', workflow('outside', '/etc/hosts.csv'));
await refused('ValidationException', 400, '--files', 'StartMatchingJob', { workflowName: 'outside' });
await say('DeleteMatchingWorkflow', { workflowName: 'outside' });

// MatchIds
const ann = await lookup('ann@example.com');
if (!/^[0-9a-f]{32}$/.test(ann.matchId)) fail(`matchId: ${ann.matchId}`);
is(ann.matchRule, 'same email', 'matchRule');
is((await lookup('nobody@example.com')).matchId, undefined, 'matchId of nobody');
await refused('ValidationException', 400, 'no attribute', 'GetMatchId', { ...people, record: { maul: 'x' } });
const generate = async (uniqueId, mail, processingType) => {
  const a = await say('GenerateMatchId', { ...people, records: [record(uniqueId, mail)], processingType });
  is(a.failedRecords.length, 0, `${uniqueId}: failed records`);
  is(a.matchGroups[0]?.records[0].recordId, uniqueId, `${uniqueId}: recordId`);
  return a.matchGroups[0]?.matchId;
};
const fresh = await generate('c9', 'new@example.com', 'CONSISTENT');
is((await lookup('new@example.com')).matchId, fresh, 'the id that was generated');
is(await generate('c10', 'ann@example.com', 'EVENTUAL'), ann.matchId, 'the id of a record that matches');
if (!(await generate('c11', 'lone@example.com', 'EVENTUAL_NO_LOOKUP'))) fail('no id without a look-up');
await refused('ValidationException', 400, 'no input source', 'GenerateMatchId',
  { ...people, records: [record('c12', 'x@example.com', '/no/such.csv')] });

// deletion
const gone = await say('BatchDeleteUniqueId', { ...people, uniqueIds: ['c9', 'not-there'], inputSource: arn });
is(gone.status, 'COMPLETED', 'the deletion');
is(JSON.stringify(gone.deleted.map((d) => d.uniqueId)), '["c9"]', 'what was deleted');
is(JSON.stringify(gone.errors), '[{"uniqueId":"not-there","errorType":"VALIDATION_ERROR"}]', 'what was not');
is(Array.isArray(gone.disconnectedUniqueIds), true, 'disconnectedUniqueIds');
is((await lookup('new@example.com')).matchId, undefined, 'the id of a deleted record');

// what has no meaning here
is((await say('ListProviderServices', {})).providerServiceSummaries.length, 0, 'provider services');
await refused('ValidationException', 400, 'ID mapping', 'CreateIdNamespace', { idNamespaceName: 'a', type: 'SOURCE' });
await refused('AccessDeniedException', 403, 'policies', 'PutPolicy', { arn: resourceArn, policy: '{}' });

// a thousand schema mappings, and no more
for (let i = 0; i < 999; i += 37)
  await Promise.all(Array.from({ length: 37 }, (_, k) =>
    say('CreateSchemaMapping', { ...schema, schemaName: `s${i + k}` })));
await refused('ExceedsLimitException', 402, '1000', 'CreateSchemaMapping', { ...schema, schemaName: 'more' });
let seen = 0;
for await (const page of er.paginateListSchemaMappings({ client }, {})) seen += page.schemaList.length;
is(seen, 1000, 'schema mappings over all pages');
for (let i = 0; i < 999; i += 37)
  await Promise.all(Array.from({ length: 37 }, (_, k) => say('DeleteSchemaMapping', { schemaName: `s${i + k}` })));

await say('DeleteMatchingWorkflow', people);
await refused('ResourceNotFoundException', 404, 'people', 'StartMatchingJob', people);
await say('DeleteSchemaMapping', { schemaName: 'people-schema' });
is((await say('ListSchemaMappings', {})).schemaList.length, 0, 'schema mappings at the end');
process.exit(failures ? 1 : 0);
