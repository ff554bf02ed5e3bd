# Comments that are inserted are posted at each vendor, in order and once, also if replies
# are lost or the worker is killed while one is on its way.

use strict;
use warnings;

use Encode qw(encode);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

use Simulator::OpenAPI;

my $flow = ZcsyncFlow->start('main', tickets => 12, tasks => 6, simulator => [ '--halopsa-tickets', 6, '--halopsa-plan', 'none' ],
	conf => "zcsync.request_timeout = 5s\nrestart_after_crash = on");
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $true = JSON::PP::true();

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

$flow->mirror(comments => 'all');
value(sprintf q{SELECT zcsync.add_account('psa', 'halopsa', settings => '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, $simulator->halopsa);
value(q{SELECT zcsync.add_stream('psa', 'tickets', since => '2000-01-01', pull_interval => '1 second', comments => 'all')});
wait_until($node, 'postgres', q{SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams}, 'HaloPSA is read');
value(q{SELECT zcsync.alter_stream(s, writes => true) FROM unnest('{acme/tickets,dev/tasks,psa/tickets}'::text[]) AS s});

# one record of each vendor
my %record = (
	acme => value(q{SELECT min(remote_id::bigint) FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND status NOT IN ('closed', 'deleted')}),
	dev => value(q{SELECT min(remote_id) FROM zcsync.tasks}),
	psa => value(q{SELECT min(remote_id::bigint) FROM zcsync.tickets WHERE account_id = zcsync.account('psa')}));

# What the vendors show of them now: texts in the order of their posting.
sub acme { return @{ $simulator->get('state/tickets', account => 'acme', comments => 1, after => $record{acme} - 1, limit => 1)->{tickets}[0]{comments} }; }
sub dev { my ($task) = grep { $_->{id} eq $record{dev} } @{ $simulator->get('state/tasks', workspace => 'dev', comments => 1)->{tasks} }; return @{ $task->{comments} }; }
sub psa { my ($ticket) = grep { $_->{id} == $record{psa} } @{ $simulator->get('state/halopsa/tickets', actions => 1, limit => 100)->{tickets} }; return @{ $ticket->{actions} }; }
my %texts = (
	acme => sub { return map { $_->{body} } acme() },
	dev => sub { return map { $_->{comment_text} } dev() },
	psa => sub { return map { $_->{note} } psa() });
sub shown { my ($account) = @_; return join ' | ', grep { /^(?:No\. |Again)/ } $texts{$account}->(); }

# Six to each in one transaction, two of them equal.  Of each vendor one reply is lost with the
# connection, one with an error after the comment was made, and one with the worker.
my @order = ('No. 1 & <co>', 'No. 2', 'Again', 'Again', 'No. 5', 'No. 6');
my %post = (
	acme => { vendor => 'zendesk', method => 'PUT', path => "/tickets/$record{acme}\$" },
	dev => { vendor => 'clickup', method => 'POST', path => '/comment$' },
	psa => { vendor => 'halopsa', method => 'POST', path => '/Actions' });
$simulator->post('faults', [ map { (
	{ %$_, fault => 'reset_after', skip => 1, count => 1 },
	{ %$_, fault => 'status', status => 500, after => $true, skip => 2, count => 1 },
	{ %$_, fault => 'hang', after => $true, skip => 2, count => 1 },
	{ %$_, fault => 'reset_before', skip => 2, count => 1 }) } map { $post{$_} } sort keys %post ]);
value('INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, is_private) SELECT zcsync.account(r.account), r.kind, r.id, b.body, r.private '
	  . "FROM (VALUES ('acme', 'tickets', '$record{acme}', true), ('dev', 'tasks', '$record{dev}', NULL), ('psa', 'tickets', '$record{psa}', true)) AS r (account, kind, id, private) "
	  . 'CROSS JOIN unnest(ARRAY[' . join(', ', map { "'$_'" } @order) . ']) WITH ORDINALITY AS b (body, n) ORDER BY b.n');

# As long as anything waits, time goes on; a worker that waits for a reply that does not come is killed.
my ($killed, $rounds) = (0, 0);
sub hanging { return scalar grep { $_->{fault} eq 'hang' && $_->{applied} } @{ $simulator->get('faults')->{faults} }; }
for (1 .. 60)
{
	$rounds++;
	nothing_due($node, 'postgres', q{q.operation = 'push'},
		q{EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'running' AND claimed_at < zcsync._now() - interval '1 second')});
	if (hanging() > $killed)
	{
		$killed = hanging();
		kill_process($node, worker_pid($node, 'postgres'));
		wait_for_worker($node, 'postgres', 'another worker runs');
	}
	last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}) == 0;
	$flow->advance(33);
}
is($killed, 3, "the worker was killed while a reply was on its way from each vendor ($rounds rounds)");
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), 0, 'all is done');
is(shown($_), join(' | ', @order), "$_: each comment once, in order") for sort keys %post;
is(value(q{SELECT count(*) FROM zcsync.comments WHERE body ~ '^(No\. |Again)' AND remote_id IS NOT NULL AND author_id IS NOT NULL AND created_at IS NOT NULL AND sync_state = 'synced'}), 18, 'each row knows its comment');
is(value(q{SELECT count(DISTINCT (account_id, remote_id)) FROM zcsync.comments WHERE body ~ '^(No\. |Again)'}), 18, 'and no other');
cmp_ok(value(q{SELECT count(*) FROM zcsync.sync_records WHERE operation = 'push' AND status = 'found'}), '>=', 9, 'those whose replies were lost were found');
is(join(' ', map { $_->{public} ? 'public' : 'private' } grep { $_->{body} =~ /^No/ } acme()), 'private private private private', 'notes are private');
$simulator->no_faults;

# what the mirror reads now is the same, and nothing is posted for it
$flow->polls;
value('UPDATE zcsync.conversations SET due_at = zcsync._now(); UPDATE zcsync.streams SET comments_at = zcsync._now()');
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.conversations WHERE due_at <= zcsync._now())}, 'all comments are read again');
is(value(q{SELECT count(*) FROM zcsync.comments WHERE body ~ '^(No\. |Again)'}), 18, 'there is one row for each');
is(value(q{SELECT count(*) FROM zcsync.comments WHERE rich_body IS NULL}), 0, 'each with its formatted text');

# a thread, formatted text, a public reply; edits
my $root = value(q{SELECT remote_id FROM zcsync.comments WHERE account_id = zcsync.account('dev') AND body = 'No. 6'});
value(qq{INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body, rich_body, reply_to, is_private) VALUES
	(zcsync.account('dev'), 'tasks', '$record{dev}', 'bold answer', '[{"text": "bold "}, {"text": "answer", "attributes": {"bold": true}}]', '$root', NULL),
	(zcsync.account('acme'), 'tickets', '$record{acme}', 'for you', '"<p>for <b>you</b></p>"', NULL, false),
	(zcsync.account('psa'), 'tickets', '$record{psa}', 'for you', '"<p>for <b>you</b></p>"', NULL, false)});
wait_until($node, 'postgres', q{SELECT count(*) = 3 FROM zcsync.comments WHERE body IN ('bold answer', 'for you') AND remote_id IS NOT NULL AND sync_state = 'synced'}, 'a reply and formatted texts are posted');
is((acme())[-1]{html_body} . (acme())[-1]{public}, '<p>for <b>you</b></p>1', 'Zendesk has HTML, and shows it to the requester');
is((psa())[-1]{note_html} . (psa())[-1]{hiddenfromuser}, '<p>for <b>you</b></p>0', 'so does HaloPSA');
is(value(qq{SELECT count(*) FROM zcsync.comments WHERE reply_to = '$root' AND author_id = '183' AND rich_body #>> '{1,attributes,bold}' = 'true'}), 1, 'the reply is in its thread');
my ($flags) = map { $_->{flags} } grep { $_->{flags} } reverse @{ $simulator->get('ledger', vendor => 'halopsa', limit => 100000)->{writes} };
is(join(' ', map { "$_=$flags->{$_}" } sort keys %{ $flags // {} }), '_prevent_outgoing=1 dont_do_rules=0 hiddenfromuser=0 send_survey=0 sendemail=0 sendsms=0', 'HaloPSA is told to send nothing');

value(q{UPDATE zcsync.comments SET is_private = true WHERE body = 'for you'});
value(q{UPDATE zcsync.comments SET body = 'Nothing' WHERE body = 'No. 6' AND account_id <> zcsync.account('acme')});
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'push') AND NOT EXISTS (SELECT FROM zcsync.comments WHERE sync_state <> 'synced')}, 'edits are sent');
is(join(' ', (acme())[-1]{public} ? 'public' : 'private', (psa())[-1]{hiddenfromuser} ? 'private' : 'public'), 'private private', 'a comment is made private');
is(scalar(grep { $_ eq 'Nothing' } map { $texts{$_}->() } qw(dev psa)), 2, 'texts are changed');

# refused by the vendor: a readable row; the text is in rows of comments only
$simulator->post('faults', { %{ $post{dev} }, fault => 'status', status => 400, body => '{"err": "Comment text invalid: hush", "ECODE": "INPUT_000"}', count => 0 });
value(qq{INSERT INTO zcsync.comments (account_id, parent_kind, parent_id, body) VALUES (zcsync.account('dev'), 'tasks', '$record{dev}', 'hush-hush')});
for (1 .. 10)
{
	nothing_due($node, 'postgres', q{q.operation = 'push'});
	last if value(q{SELECT count(*) FROM zcsync.dead_letters}) > 0;
	$flow->advance(33);
}
is(value(q{SELECT concat_ws(' ', d.class, d.status, c.sync_state, d.reply, d.sent) FROM zcsync.dead_letters AS d JOIN zcsync.comments AS c USING (local_id)}), 'rejected 400 failed', 'a refused comment is a dead letter without its text');
for my $table (qw(changes sync_records dead_letters sync_queue alerts conflicts conversations))
{
	is(value("SELECT count(*) FROM zcsync.$table AS t WHERE t::text ~ 'No\\. [1-6]|Again|hush-|for you|bold answer'"), 0, "no text in $table");
}

# The time of a task is noted at its ticket: once, also if a reply is lost, and as it is corrected.
value(qq{SELECT zcsync.add_route('time', 'psa/tickets', 'dev/tasks', create_in => (SELECT list_id FROM zcsync.tasks WHERE remote_id = '$record{dev}'), filter => 'remote_id = ''$record{psa}''');
	SELECT zcsync.set_route_time('time', 'Private Note', agent => '4');
	SELECT zcsync.link_records('psa/tickets/$record{psa}', 'dev/tasks/$record{dev}');
	SELECT zcsync.resume_route('time');
	SELECT zcsync.backfill_route('time', confirm => true)});
sub hours { return join ' ', map { "$_->{timetaken}/$_->{who_agentid}" } grep { $_->{note} =~ /^Time of / } psa(); }
sub hours_are
{
	my ($expected, $name) = @_;
	wait_for(
		sub {
			return 1 if hours() eq $expected && value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('push', 'conversation')}) == 0;
			$flow->advance(3);
			return 0;
		},
		"$name: $expected")
	  or diag(hours(), value(q{SELECT 'entries ' || count(*) || coalesce(max(created_at)::text, '') FROM zcsync.time_entries WHERE account_id = zcsync.account('dev')
		UNION ALL SELECT concat_ws(' ', 'link', l.state, l.route_id, l.source_id, l.target_id) FROM zcsync.links AS l UNION ALL SELECT concat_ws(' ', 'route', name, state) FROM zcsync.routes
		UNION ALL SELECT 'job ' || to_jsonb(q)::text FROM zcsync.sync_queue AS q UNION ALL SELECT 'error ' || e.message FROM zcsync.route_errors AS e
		UNION ALL SELECT concat_ws(' ', 'noted', k.seconds, c.sync_state, c.remote_id, c.parent_id) FROM zcsync.time_copies AS k JOIN zcsync.comments AS c ON c.local_id = k.copy_id UNION ALL SELECT concat_ws(' ', 'time', time_since) FROM zcsync.route_comments}));
}
$simulator->post('faults', [ { %{ $post{psa} }, fault => 'reset_after', count => 1 } ]);
$simulator->post('touch', { workspace => 'dev', id => $record{dev}, time => [ { id => 1, user => 183, time => 5400000 }, { id => 2, user => 184, time => 1200000 } ] });
hours_are('1.5/4 0.3333/4', 'time is noted once');
$simulator->post('touch', { workspace => 'dev', id => $record{dev}, time => [ { id => 2, user => 184, time => 3600000 } ] });
hours_are('0/4 1/4', 'and what became of it');
is(value(q{SELECT count(*) FROM zcsync.comments WHERE parent_kind = 'tasks' AND body ~ '^Time of '}), 0, 'nothing comes back');

# each request is one that the vendors' documents allow; ClickUp's knows no blocks, and no
# comment that is assigned to nobody
my $documents = Simulator::OpenAPI->load;
SKIP: {
	skip("the vendors' documents are not here", 1) if !$documents;
	my %wrong;
	for my $request (grep { $_->{status} && $_->{method} ne 'GET' } $flow->requests)
	{
		my ($vendor, $body) = ($request->{vendor}, $request->{body} // '');
		next if $vendor eq 'clickup' && $body =~ /"comment": ?\[|"assignee": ?null/;
		$wrong{"$vendor: $_"}++ for $documents->check_request($vendor, $request->{method}, $request->{path}, $request->{query}, encode('UTF-8', $body));
	}
	is(join("\n", sort keys %wrong), '', 'all requests are valid');
}
is(log_lines($node, 'No\. [1-6]|hush-hush|zcsync could not'), 0, 'and none in the log');

$node->stop;
done_testing();
