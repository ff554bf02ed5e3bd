// What node-zendesk sees of the simulator: node zendesk.js BASE-ADDRESS
'use strict';

const { Readable } = require('node:stream');
const zendesk = require('node-zendesk');
const { is, run } = require('./check.js');

const client = zendesk.createClient({ username: 'admin@acme.example', token: 'token-acme', endpointUri: `${process.argv[2]}/api/v2` });
const names = (list) => list.map((one) => one.name).sort();

async function comments() {
	const { result: ticket } = await client.tickets.create({ ticket: { subject: 'Printer', comment: { body: 'It burns' }, tags: ['bug'] } });
	is([ticket.subject, ticket.status, ticket.tags], ['Printer', 'new', ['bug']], 'a ticket');
	await client.tickets.update(ticket.id, { ticket: { comment: { body: 'We look', public: true } } });
	await client.tickets.update(ticket.id, { ticket: { comment: { body: 'Arson?', public: false } } });
	const said = await client.tickets.getComments(ticket.id);
	is(said.map((one) => [one.body, one.public]), [['It burns', true], ['We look', true], ['Arson?', false]], 'its comments, public and private');
	is((await client.tickets.show(ticket.id)).result.id, ticket.id, 'the ticket itself');
	return ticket;
}

async function attachments(ticket) {
	const { upload } = await client.attachments.upload(Readable.from([Buffer.from('a small file')]), { filename: 'smoke signal.txt', binary: true });
	is([upload.attachment.file_name, upload.attachment.size], ['smoke signal.txt', 12], 'an uploaded file');
	await client.tickets.update(ticket.id, { ticket: { comment: { body: 'See the file', public: false, uploads: [upload.token] } } });
	const files = (await client.tickets.getComments(ticket.id)).at(-1).attachments;
	is(files.map((file) => [file.id, file.file_name]), [[upload.attachment.id, 'smoke signal.txt']], 'is in a comment');
	is((await client.attachments.show(upload.attachment.id)).result.attachment.size, 12, 'and by itself');
}

async function webhooks() {
	const wanted = { name: 'zcsync', endpoint: 'https://127.0.0.1:9/x', http_method: 'POST', request_format: 'json', status: 'active', subscriptions: ['zen:event-type:ticket.created'] };
	const { result: hook } = await client.webhooks.create({ webhook: wanted });
	is((await client.webhooks.list()).map((one) => one.id), [hook.id], 'a webhook');
	await client.webhooks.patch(hook.id, { webhook: { status: 'inactive' } });
	is((await client.webhooks.show(hook.id)).result.status, 'inactive', 'changed in part');
	await client.webhooks.update(hook.id, { webhook: { ...wanted, name: 'other' } });
	const { result: now } = await client.webhooks.show(hook.id);
	is([now.name, now.status], ['other', 'active'], 'and as a whole');
	is((await client.webhooks.getSigningSecret(hook.id)).result.signing_secret.algorithm, 'SHA256', 'its secret');
	await client.webhooks.delete(hook.id);
	is(await client.webhooks.list(), [], 'deleted');
}

async function people() {
	is((await client.users.auth()).result.email, 'admin@acme.example', 'who we are');
	const users = await client.users.list();
	is(new Set(users.map((user) => user.id)).size > 100, true, 'all users, over pages');
	is(users.length, new Set(users.map((user) => user.id)).size, 'each once');
	const { result: made } = await client.users.createOrUpdate({ user: { name: 'Ada', email: 'ada@example.com', skip_verify_email: true } });
	const { result: same } = await client.users.createOrUpdate({ user: { name: 'Ada Byron', email: 'ada@example.com', skip_verify_email: true } });
	is([same.id, (await client.users.show(made.id)).result.name], [made.id, 'Ada Byron'], 'a user, made and renamed');
	is(names((await client.users.showMany([users[0].id, made.id])).result), names([users[0], same]), 'two users in a call');
	const { result: organization } = await client.organizations.createOrUpdate({ organization: { name: 'Hooli', external_id: 'h-1' } });
	await client.organizations.createOrUpdate({ organization: { name: 'Hooli XYZ', external_id: 'h-1' } });
	is((await client.organizations.show(organization.id)).result.name, 'Hooli XYZ', 'an organization, made and renamed');
	is(names(await client.organizations.list()).includes('Hooli XYZ'), true, 'among all organizations');
	is(names(await client.organizations.showMany([organization.id])), ['Hooli XYZ'], 'and by its id');
}

async function search() {
	const { result: open } = await client.search.query('type:ticket status:open');
	is(open.length > 0 && open.every((one) => one.result_type === 'ticket' && one.status === 'open'), true, 'open tickets');
	const bugs = await client.search.queryAll('type:ticket tags:bug');
	is(bugs.length > 100 && bugs.every((one) => one.tags.includes('bug')), true, 'all bugs, over pages');
	is((await client.search.showResultsCount('type:ticket tags:bug')).result.count, bugs.length, 'and their number');
	const exported = await client.search.exportResults('tags:bug', 'ticket');
	is(exported.map((one) => one.id), bugs.map((one) => one.id), 'the same, exported');
	const { result: agents } = await client.search.query('type:user role:agent email:dana@workspace.example');
	is(names(agents), ['Dana Developer'], 'a user');
}

async function fields() {
	const all = await client.ticketfields.list();
	const choice = all.find((one) => one.title === 'Product area');
	is([choice.type, choice.custom_field_options.length], ['tagger', 4], 'a field with its options');
	is((await client.ticketfields.show(choice.id)).result.title, 'Product area', 'and by itself');
}

run(async () => {
	await attachments(await comments());
	await webhooks();
	await people();
	await search();
	await fields();
});
