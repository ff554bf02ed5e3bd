// What clickup.js sees of the simulator: node clickup.js BASE-ADDRESS DIRECTORY
'use strict';

const fs = require('node:fs');
const { Clickup } = require('clickup.js');
const { is, run } = require('./check.js');

const client = new Clickup('pk_183_DEV', { prefixUrl: `${process.argv[2]}/api/v2` });
const body = async (call) => (await call).body;

async function places() {
	is((await body(client.authorization.getAuthorizedUser())).user.username, 'Dana Developer', 'who we are');
	const [team] = (await body(client.teams.get())).teams;
	is(team.members.map((one) => one.user.username).sort(), ['Dana Developer', 'Erik Engineer', 'Lena Lead', 'Olu Operator'], 'members');
	const space = (await body(client.teams.getSpaces(team.id))).spaces.find((one) => one.name === 'Engineering');
	const [folder] = (await body(client.spaces.getFolders(space.id))).folders;
	const list = (await body(client.folders.getLists(folder.id))).lists.find((one) => one.name === 'Bugs');
	is((await body(client.lists.get(list.id))).statuses.map((one) => one.status), ['to do', 'in progress', 'in review', 'complete'], 'statuses of a list');
	is((await body(client.lists.getMembers(list.id))).members.length, 4, 'its members');
	return { team, list };
}

async function fields(list) {
	const { fields: all } = await body(client.lists.getAccessibleCustomFields(list.id));
	const choice = all.find((one) => one.type === 'drop_down');
	is(choice.type_config.options.map((one) => one.name), ['Triage', 'Accepted', 'Building', 'Released'], 'a field with its options');
	const task = await body(client.lists.createTask(list.id, { name: 'Printer', status: 'in progress', priority: 2 }));
	await client.tasks.addCustomFieldValue(task.id, choice.id, { value: choice.type_config.options[1].id });
	await client.tasks.addTag(task.id, 'hot stuff');
	await client.tasks.update(task.id, { name: 'Printer burns' });
	const now = await body(client.tasks.get(task.id));
	is([now.name, now.status.status, now.tags.map((tag) => tag.name), now.custom_fields.find((one) => one.id === choice.id).value],
		['Printer burns', 'in progress', ['hot stuff'], 1], 'a task, with a field and a tag');
	return task;
}

async function comments(task) {
	const said = async () => (await body(client.tasks.getComments(task.id))).comments.map((one) => one.comment_text);
	const { id } = await body(client.tasks.addComment(task.id, { comment_text: 'We look', notify_all: false }));
	await client.tasks.addComment(task.id, { comment: [{ text: 'Arson', attributes: { bold: true } }, { text: '?' }], notify_all: false });
	is(await said(), ['Arson?', 'We look'], 'comments, the newest first');
	await client.comments.update(id, { comment_text: 'We looked', assignee: 183, resolved: true });
	is(await said(), ['Arson?', 'We looked'], 'an edited one');
	await client.comments.delete(id);
	is(await said(), ['Arson?'], 'a deleted one');
}

async function attachments(task) {
	const filePath = `${process.argv[3]}/smoke signal.txt`;
	fs.writeFileSync(filePath, 'a small file');
	const file = await body(client.tasks.addAttachment(task.id, { filePath, fileName: 'smoke signal.txt' }));
	is((await body(client.tasks.get(task.id))).attachments.map((one) => [one.id, one.title, one.size]), [[file.id, 'smoke signal.txt', 12]], 'a file of a task');
}

async function webhooks(team) {
	const wanted = { endpoint: 'https://127.0.0.1:9/x', events: ['taskCreated', 'taskCommentPosted'] };
	const { webhook } = await body(client.teams.createWebhook(team.id, wanted));
	is(webhook.secret.length, 64, 'the secret of a webhook');
	is((await body(client.teams.getWebhooks(team.id))).webhooks.map((one) => [one.id, one.events]), [[webhook.id, wanted.events]], 'the webhook');
	await client.webhooks.update(webhook.id, { ...wanted, events: '*', status: 'active' });
	is((await body(client.teams.getWebhooks(team.id))).webhooks[0].events, ['*'], 'changed');
	await client.webhooks.delete(webhook.id);
	is((await body(client.teams.getWebhooks(team.id))).webhooks, [], 'deleted');
}

async function search(team, list, task) {
	const { tasks } = await body(client.lists.getTasks(list.id, { statuses: ['in progress'], include_closed: true }));
	is(tasks.some((one) => one.id === task.id) && tasks.every((one) => one.status.status === 'in progress'), true, 'tasks of a status');
	const found = await body(client.teams.getFilteredTasks(team.id, { page: 0, tags: ['hot stuff'], list_ids: [list.id] }));
	is(found.tasks.map((one) => one.id), [task.id], 'and of a tag, in all lists');
	await client.tasks.delete(task.id);
	is((await body(client.teams.getFilteredTasks(team.id, { page: 0, tags: ['hot stuff'] }))).tasks, [], 'a deleted task');
}

run(async () => {
	const { team, list } = await places();
	const task = await fields(list);
	await comments(task);
	await attachments(task);
	await webhooks(team);
	await search(team, list, task);
});
