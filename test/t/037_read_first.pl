# Updates of vendors that refuse none: ClickUp and HaloPSA are read before they are
# written to, so an edit made there meanwhile is neither overwritten nor lost.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 12, '--clickup-plan', 'none', '--halopsa-tickets', 4, '--halopsa-leads', 2, '--halopsa-plan', 'none',
	'--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.bulk_write_limit = 1000\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub work { return run_worker($node, 'postgres', '60 s'); }
# Reads that were made so far are too old for the next edits; no other is planned.
sub later
{
	return value(q{UPDATE zcsync.streams SET next_pull_at = now() + interval '1 day', read_began_at = read_began_at - interval '10 seconds',
		last_pull_at = last_pull_at - interval '10 seconds'});
}
# Calls since the last look: lists that were read, and writes.
my $seen = 0;
sub calls
{
	my @all = grep { $_->{seq} > $seen } map { @{ $simulator->get('requests', vendor => $_, limit => 100000)->{requests} } } qw(clickup halopsa);
	my %count = (read => 0, written => 0);

	foreach my $call (@all)
	{
		$seen = $call->{seq} if $call->{seq} > $seen;
		$count{read}++ if $call->{method} eq 'GET' && $call->{path} =~ m{/(team/\d+/task|api/(Tickets|Opportunities))$};
		$count{written}++ if $call->{method} =~ /^(POST|PUT|DELETE)$/ && $call->{path} =~ m{/task|/api/};
	}
	return "$count{read} read, $count{written} written";
}
sub history { my ($id) = @_; return value(qq{SELECT string_agg(concat_ws(' ', action, cause, old ->> 'name', old ->> 'subject', '->', new ->> 'name', new ->> 'subject'), '; ' ORDER BY created_at, action)
	FROM zcsync.changes WHERE local_id = $id AND (new ? 'name' OR new ? 'subject')}); }

value(sprintf q{SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001001", "base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}', '{"token": "pk_183_DEV"}')},
	$simulator->clickup);
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT count(*) FROM zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '30 days');
	SELECT zcsync.add_stream('psa', kind, since => '2000-01-01', pull_interval => '30 days') FROM unnest('{tickets,contacts}'::text[]) AS kind;
	SELECT zcsync.alter_stream(s, writes => true) FROM unnest('{dev/tasks,psa/tickets}'::text[]) AS s;
	SELECT zcsync.alter_queue(q, concurrency => 20) FROM unnest('{task-sync,ticket-sync}'::text[]) AS q});
for (1 .. 10)
{
	last if value(q{SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams}) eq 't';
	value(q{UPDATE zcsync.streams SET next_pull_at = now()});
	work();
}
my @tasks = split /\n/, value(q{SELECT local_id || '|' || remote_id FROM zcsync.tasks ORDER BY local_id});
my @tickets = split /\n/, value(q{SELECT local_id || '|' || remote_id FROM zcsync.tickets ORDER BY local_id});
cmp_ok(scalar @tasks, '>=', 4, 'tasks are read');
is(scalar @tickets, 4, 'and tickets');

# Two records, one of each vendor, by the same names: how they are edited there, and
# what is there.
my %vendor = (
	clickup => {
		records => [ map { [ split /\|/ ] } @tasks ], table => 'tasks', name => 'name', other => 'points',
		edit => sub { my ($id, $name) = @_; $simulator->post('edit', { workspace => 'dev', id => $id, fields => { name => $name } }); },
		there => sub { my ($id) = @_; my ($task) = grep { $_->{id} eq $id } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 1000)->{tasks} }; return "$task->{name}, " . ($task->{points} // ''); } },
	halopsa => {
		records => [ map { [ split /\|/ ] } @tickets ], table => 'tickets', name => 'subject', other => 'description',
		edit => sub { my ($id, $name) = @_; $simulator->post('edit', { vendor => 'halopsa', account => 'acme', kind => 'ticket', id => $id, fields => { summary => $name } }); },
		there => sub { my ($id) = @_; my ($ticket) = grep { $_->{id} eq $id } @{ $simulator->get('state/halopsa/tickets', limit => 1000)->{tickets} }; return "$ticket->{summary}, $ticket->{details}"; } });
my %other = (clickup => [ '5', '6', '7' ], halopsa => [ q{'First'}, q{'Second'}, q{'Third'} ]);

foreach my $vendor (qw(clickup halopsa))
{
	my ($records, $table, $name, $other, $edit, $there) = @{ $vendor{$vendor} }{qw(records table name other edit there)};
	my ($id, $remote_id) = @{ $records->[0] };
	my @set = @{ $other{$vendor} };
	my $plain = sub { my ($value) = @_; $value =~ s/'//g; return $value; };

	# Two columns: both edits stay.
	later();
	calls();
	$edit->($remote_id, 'There');
	value("UPDATE zcsync.$table SET $other = $set[0] WHERE local_id = $id");
	work();
	is($there->($remote_id), 'There, ' . $plain->($set[0]), "$vendor: edits of two fields both arrive");
	is(value("SELECT $name || ', ' || $other || ', ' || sync_state FROM zcsync.$table WHERE local_id = $id"), 'There, ' . $plain->($set[0]) . ', synced', 'and are here');
	is(calls(), '1 read, 1 written', 'by one read and one write');

	# The same column: the vendor wins, and what was written here is in the history.
	later();
	$edit->($remote_id, 'There again');
	value("UPDATE zcsync.$table SET $name = 'Here', $other = $set[1] WHERE local_id = $id");
	work();
	is($there->($remote_id), 'There again, ' . $plain->($set[1]), "$vendor: an edit there is not overwritten");
	like(history($id), qr/lost pull Here -> There again/, 'what lost is in the history');
	is(value("SELECT $name || ', ' || sync_state FROM zcsync.$table WHERE local_id = $id"), 'There again, synced', 'and the row has what is there');

	# A pause: however long it was, what happened there meanwhile is read first.
	value("SELECT zcsync.pause_account(name) FROM zcsync.accounts WHERE vendor = '$vendor'");
	value("UPDATE zcsync.$table SET $name = 'In the pause', $other = $set[2] WHERE local_id = $id");
	$edit->($remote_id, 'There in the pause');
	value(q{UPDATE zcsync.sync_queue SET enqueued_at = enqueued_at - interval '1 day'; UPDATE zcsync.streams SET read_began_at = read_began_at - interval '1 day',
		last_pull_at = last_pull_at - interval '1 day', next_pull_at = now() + interval '1 day'});
	value("SELECT zcsync.resume_account(name) FROM zcsync.accounts WHERE vendor = '$vendor'");
	work();
	is($there->($remote_id), 'There in the pause, ' . $plain->($set[2]), "$vendor: nor one in a pause");
	like(history($id), qr/lost pull In the pause -> There in the pause/, 'what lost is in the history');
	is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE waits_since IS NOT NULL}), 0, 'nothing waits');
}

# One read serves many.
value(q{INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT account_id, 'Many ' || i, list_id FROM (SELECT * FROM zcsync.tasks LIMIT 1) AS t, generate_series(1, 200) AS i});
work();
# later reads begin with a younger task, so that they have one page
$simulator->post('clock', { advance_seconds => 60 });
$vendor{clickup}{edit}->($vendor{clickup}{records}[2][1], 'Younger');
value(q{SELECT zcsync.refresh('dev/tasks')});
work();
later();
calls();
value(q{UPDATE zcsync.tasks SET points = 3 WHERE name LIKE 'Many %'});
work();
is(calls(), '1 read, 200 written', 'one read for 200 edits');
value(q{UPDATE zcsync.tasks SET points = 4 WHERE name LIKE 'Many %'});
value(q{UPDATE zcsync.streams SET read_began_at = now(), last_pull_at = now()});
work();
is(calls(), '0 read, 200 written', 'and none right after another');

# A read that fails: new records go, edits wait, and it is said what for.
later();
$simulator->post('faults', { vendor => 'clickup', fault => 'status', status => 403, body => { err => 'Team not authorized', ECODE => 'OAUTH_027' }, method => 'GET', path => '/team/\d+/task', count => 0 });
value(qq{UPDATE zcsync.tasks SET points = 8 WHERE local_id = $vendor{clickup}{records}[1][0]});
value(q{INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT account_id, 'New one', list_id FROM zcsync.tasks LIMIT 1});
work();
is(value(q{SELECT sync_state FROM zcsync.tasks WHERE name = 'New one'}), 'synced', 'a new record waits for no read');
is(value("SELECT sync_state FROM zcsync.tasks WHERE local_id = $vendor{clickup}{records}[1][0]"), 'pending', 'an edit does');
value(q{UPDATE zcsync.sync_queue SET waits_since = waits_since - interval '2 minutes' WHERE waits_since IS NOT NULL});
like(value(q{SELECT state, why, to_do FROM zcsync.status WHERE account = 'dev/tasks'}), qr/^unread\|edits wait for a read: 1;.*\|SELECT \* FROM zcsync\.check_account\('dev'\);$/,
	'status says which read it waits for');
$simulator->no_faults;
value(q{SELECT zcsync.refresh('dev/tasks')});
work();
is(value("SELECT points || ', ' || sync_state FROM zcsync.tasks WHERE local_id = $vendor{clickup}{records}[1][0]"), '8, synced', 'once it is read, the edit goes');
is(value(q{SELECT count(*) FROM zcsync.status WHERE account = 'dev/tasks'}), 0, 'and nothing is said any more');

# The worker does both at once, however rarely it reads otherwise.
$node->adjust_conf('postgresql.conf', 'zcsync.databases', undef);
$node->reload;
wait_for_worker($node, 'postgres');
later();
calls();
$vendor{clickup}{edit}->($vendor{clickup}{records}[1][1], 'Seen by the worker');
value(qq{UPDATE zcsync.tasks SET points = 9 WHERE local_id = $vendor{clickup}{records}[1][0]});
wait_until($node, 'postgres', "SELECT sync_state = 'synced' AND name = 'Seen by the worker' AND points = 9 FROM zcsync.tasks WHERE local_id = $vendor{clickup}{records}[1][0]", 'the worker reads and writes');
is(calls(), '1 read, 1 written', 'once');
cmp_ok(value(q{SELECT extract(epoch FROM max(r.created_at - r.queued_at)) FROM zcsync.sync_records r WHERE r.operation = 'push'
	AND r.created_at > (SELECT max(last_pull_at) - interval '1 minute' FROM zcsync.streams WHERE kind = 'tasks') AND r.local_id = } . $vendor{clickup}{records}[1][0]), '<', 30, 'long before the next read that was planned');

done_testing();
