# What Zendesk does that its plain documents do not say, as the simulator does it:
# limits that only replies name.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 40, '--tasks', 0, '--zendesk-plan', 'sandbox');
my $essential = start_simulator('--tickets', 20, '--tasks', 0, '--zendesk-plan', 'essential');
my $node = new_node('main', conf => "zcsync.databases = ''\njit = off\n");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

# Let the worker work until nothing is left that could be sent now.
sub work
{
	for (1 .. $_[0] // 10)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready'});
		run_worker($node, 'postgres', '20 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation <> 'pull'}) == 0;
	}
}

my $waiting = q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'};

# Move the time of zcsync and of the vendors on, and work, in one session.
my $offset = 0;
my %at;
my $session;
sub advance
{
	my ($seconds, $first) = @_;

	note_times();
	$offset += $seconds;
	$_->post('clock', { offset_seconds => $offset }) foreach $simulator, $essential;
	if (!$session)
	{
		$session = $node->background_psql('postgres', on_error_stop => 0);
		$session->set_query_timer_restart;
	}
	return $session->query_safe("SET client_min_messages = error; SET zcsync.clock_offset = $offset; " . ($first // '') . " CALL zcsync.run('2 s'); $waiting;");
}

# When each request came, by that time: those that are new came after the last move.
sub requests { my ($of, %filter) = @_; return @{ $of->get('requests', vendor => 'zendesk', limit => 100000, %filter)->{requests} }; }
sub note_times
{
	foreach my $of ($simulator, $essential)
	{
		$at{$of}{ $_->{seq} } //= $_->{time} + $offset foreach requests($of);
	}
	return;
}

# The most of these requests in any minute.
sub most
{
	my ($of, @requests) = @_;
	note_times();
	my @times = sort { $a <=> $b } map { $at{$of}{ $_->{seq} } } @requests;
	my ($most, $first) = (0, 0);

	for my $last (0 .. $#times)
	{
		$first++ while $times[$last] - $times[$first] >= 60;
		$most = $last - $first + 1 if $last - $first + 1 > $most;
	}
	return $most;
}
sub refused { return scalar grep { $_->{status} == 429 } requests($_[0]); }

value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise"}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $simulator->zendesk);
value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
	SELECT zcsync.alter_stream('acme/tickets', writes => true)});
work();
is(value(q{SELECT count(*) FROM zcsync.tickets}), 40, 'tickets are here');

# ---------------------------------------------------------------------
# Limits
# ---------------------------------------------------------------------
my $budget = q{SELECT concat_ws(' ', b.calls, b.lowered_from, b.remote_limit, b.remote_remaining) FROM zcsync.account_budgets b JOIN zcsync.accounts a USING (account_id) WHERE a.name = 'acme' AND b.class =};
is(value("$budget 'write'"), '100', 'changes of tickets: as many as usual');
value(q{UPDATE zcsync.tickets SET priority = 'urgent' WHERE remote_id IN (SELECT t.remote_id FROM zcsync.tickets t WHERE t.status = 'open' AND t.priority <> 'urgent' ORDER BY t.local_id LIMIT 3)});
work();
like(value("$budget 'write'"), qr/^20 100 20 1\d$/, 'a sandbox allows fewer, as its replies say');
like(value("$budget 'api'"), qr/^700 700 \d+$/, 'which is not the limit of all calls');

# Once that is known, it is kept to, however many wait.
advance(120);
my ($last) = sort { $b <=> $a } map { $_->{seq} } requests($simulator);
my $changed = value(q{WITH u AS (UPDATE zcsync.tickets t SET type = CASE t.type WHEN 'task' THEN 'question' ELSE 'task' END
	WHERE t.status <> 'closed' AND t.deleted_at IS NULL RETURNING 1) SELECT count(*) FROM u});
cmp_ok($changed, '>', 20, 'more tickets are changed than a minute allows');
for (1 .. 40)
{
	last if advance(10) == 0;
}
my @puts = grep { $_->{method} eq 'PUT' } requests($simulator, since => $last);
is(value($waiting) . ' ' . @puts, "0 $changed", 'all are sent, each in a call');
cmp_ok(most($simulator, @puts), '<=', 20, 'never more than 20 in a minute');
cmp_ok(most($simulator, @puts), '>', 10, 'and not many fewer');
is(refused($simulator), 0, 'none is refused');

# Exports: the plan allows 10 a minute, the headers fewer, under either name.
my $export = "$budget 'export'";
like(value($export), qr/^10 10 \d$/, 'exports: as many as the plan allows');
my $lists = sub { return grep { $_->{path} =~ /incremental/ } requests($simulator, since => $last); };
foreach my $short (0, 1)
{
	my $name = $short ? 'the short header' : 'the documented header';
	my $allowed = 5 - $short;

	$simulator->post('settings', { short_export_header => $short });
	$simulator->post('limits', { vendor => 'zendesk', class => 'export', calls => $allowed });
	advance(120, q{SELECT FROM zcsync.refresh('acme/tickets');});
	like(value($export), qr/^$allowed 10 $allowed \d$/, "$name is read");
	($last) = sort { $b <=> $a } map { $_->{seq} } requests($simulator);
	advance(6, q{SELECT FROM zcsync.refresh('acme/tickets');}) for 1 .. 20;
	my $calls = () = $lists->();
	cmp_ok($calls, '>', $allowed, "$name: it is read more often than a minute allows: $calls calls");
	cmp_ok(most($simulator, $lists->()), '<=', $allowed, 'never more often than that in a minute');
	is(refused($simulator), 0, 'and no call is refused');
}
$simulator->post('limits', { vendor => 'zendesk', class => 'export', calls => 10 });
$simulator->post('settings', { short_export_header => 0 });
advance(120, q{SELECT FROM zcsync.refresh('acme/tickets');});
like(value($export), qr/^10 10 \d$/, 'a higher limit counts as soon as it is named');

# ---------------------------------------------------------------------
# The plan Essential: 10 calls a minute, exports among them
# ---------------------------------------------------------------------
# as the settings say, and when they say nothing of the plan
value(q{SELECT zcsync.pause_stream('acme/tickets')});
foreach my $plan ('"plan": "essential", ', '')
{
	my $told = $plan ne '' ? 'told of the plan' : 'not told of the plan';

	($last) = sort { $b <=> $a } 0, map { $_->{seq} } requests($essential);
	value(sprintf q{SELECT zcsync.add_account('small', 'zendesk', settings => '{"subdomain": "small", %s"base_url": "%s"}',
		credentials => '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $plan, $essential->zendesk);
	value(q{SELECT zcsync.add_stream('small', 'tickets', since => '2000-01-01');
		SELECT zcsync.alter_stream('small/tickets', writes => true)});
	my $of = q{FROM zcsync.tickets t WHERE t.account_id = zcsync.account('small') AND t.deleted_at IS NULL};
	for (1 .. 30)
	{
		advance(20);
		last if value("SELECT count(*) $of") > 15;
	}
	cmp_ok(value("SELECT count(*) $of"), '>', 15, "$told: the tickets are read");
	value(q{UPDATE zcsync.tickets SET type = CASE type WHEN 'task' THEN 'question' ELSE 'task' END
		WHERE account_id = zcsync.account('small') AND status <> 'closed' AND deleted_at IS NULL});
	my $pushes = value($waiting);
	cmp_ok($pushes, '>', 10, 'many changes');
	for (1 .. 60)
	{
		last if advance(15, q{SELECT FROM zcsync.refresh('small/tickets');}) == 0;
	}
	is(value(q{SELECT string_agg(concat_ws(' ', b.class, b.calls, b.lowered_from, b.remote_limit), ', ' ORDER BY b.class) FROM zcsync.account_budgets b
		WHERE b.account_id = zcsync.account('small') AND b.class IN ('api', 'export')}), $plan ne '' ? 'api 7 10, export 3 10' : 'api 10 200 10, export 10 10', 'what is known of its limits');
	my @calls = grep { $_->{path} !~ /oauth/ } requests($essential, since => $last);
	cmp_ok(scalar(@calls), '>', 20, 'many calls are made');
	if ($plan ne '')
	{
		cmp_ok(most($essential, @calls), '<=', 10, 'never more than 10 a minute');
		is(refused($essential), 0, 'and none is refused');
	}
	else
	{
		cmp_ok(refused($essential), '<=', 3, 'hardly any is refused');
	}
	is(value($waiting), 0, 'all changes are sent');
	is(value(q{SELECT count(*) FROM zcsync.dead_letters}), 0, 'and none is lost');
	value(q{SELECT zcsync.remove_account('small', force => true)});
}
$session->quit;
$node->append_conf('postgresql.conf', "zcsync.clock_offset = $offset");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('zcsync.clock_offset') = '$offset'") or die 'the clock does not move';
value(q{SELECT zcsync.resume_stream('acme/tickets')});

# ---------------------------------------------------------------------
# Solving without an assignee, or with a required field empty
# ---------------------------------------------------------------------
$simulator->post('limits', { vendor => 'zendesk', plan => 'none' });
my %field = %{ $simulator->get('info')->{zendesk}{acme}{custom_fields} };
my ($title) = grep { /order|text|serial|reference/i } sort keys %field;
$title //= (sort keys %field)[0];
$simulator->post('settings', { required_fields => [$title] });
my ($agent) = split /\n/, value(q{SELECT assignee_id FROM zcsync.tickets WHERE assignee_id IS NOT NULL ORDER BY local_id LIMIT 1});
value(q{INSERT INTO zcsync.tickets (account_id, subject, description, status) VALUES (zcsync.account('acme'), 'Alone', 'x', 'open'), (zcsync.account('acme'), 'Beside', 'x', NULL)});
work();
sub ticket { my ($subject) = @_; my ($t) = grep { $_->{subject} eq $subject } @{ $simulator->get('state/tickets', account => 'acme', limit => 1000)->{tickets} }; return join '|', map { $_ // '' } @{$t}{qw(status priority assignee_id)}; }
sub row { my ($subject, $columns) = @_; return value("SELECT concat_ws('|', $columns) FROM zcsync.tickets WHERE subject = '$subject'"); }
sub errors { return value(q{SELECT string_agg(concat_ws(' ', e.source, e.reference, e.message, e.hint), E'\n' ORDER BY e.job_id) FROM zcsync.errors e WHERE e.source = 'dead letter'}); }

value(q{UPDATE zcsync.tickets SET status = 'solved', priority = 'low' WHERE subject = 'Beside'});
work();
is(ticket('Beside'), 'new|low|', 'the other fields of the same change go');
is(row('Beside', q{status, priority, sync_state, base ->> 'status'}), 'solved|low|failed|new', 'the status waits in its row');
like(errors(), qr{^dead letter acme/tickets/\d+ 422 rejected: status: Assignee: is required when solving a ticket; \Q$title\E: is required when solving a ticket Set what is missing: assignee_id.*retry\(\d+\);\z},
	'an error says what is missing, and what to run');
like(value(q{SELECT why || ' ' || to_do FROM zcsync.status WHERE account = 'acme'}), qr/waiting for a person: 1 .*zcsync.errors/, 'and status where it is told');
work(2);
is(row('Beside', 'sync_state'), 'failed', 'it is not tried again and again');
value(qq{UPDATE zcsync.tickets SET assignee_id = '$agent' WHERE subject = 'Beside'});
work();
is(ticket('Beside'), "open|low|$agent", 'a change of the row sends it again; it still lacks a field');
like(value(q{SELECT message FROM zcsync.dead_letters ORDER BY job_id DESC LIMIT 1}), qr/^status: \Q$title\E: is required/, 'which is said');
value(qq{UPDATE zcsync.tickets SET custom_fields = custom_fields || '{"$field{$title}": "17"}' WHERE subject = 'Beside'});
work();
is(ticket('Beside'), "solved|low|$agent", 'with that it is solved');
is(row('Beside', 'sync_state'), 'synced', 'and in step');

# Nothing else to send; what is missing is set at the vendor.
value(q{DELETE FROM zcsync.dead_letters; UPDATE zcsync.tickets SET status = 'solved' WHERE subject = 'Alone'});
work();
is(row('Alone', 'status, sync_state'), 'solved|failed', 'a status alone');
my $id = row('Alone', 'remote_id');
$simulator->post('holdback', { seconds => -2 });
$simulator->post('clock', { advance_seconds => 2 });
$simulator->post('edit', { account => 'acme', id => $id, fields => { assignee_id => 0 + $agent, custom_fields => [ { id => 0 + $field{$title}, value => '18' } ] } });
$simulator->post('clock', { advance_seconds => 2 });
value(q{UPDATE zcsync.streams SET next_pull_at = now()});
work();
is(ticket('Alone') =~ s/\|.*//r, 'solved', 'is sent when the ticket is changed there');
is(row('Alone', 'sync_state') . value(q{SELECT count(*) FROM zcsync.dead_letters}), 'synced0', 'and nothing is left');

# A new ticket that cannot be solved yet is made all the same.
value(q{INSERT INTO zcsync.tickets (account_id, subject, description, status, priority) VALUES (zcsync.account('acme'), 'Made', 'x', 'solved', 'high')});
work();
is(ticket('Made'), 'open|high|', 'a new ticket is made without its status');
is(row('Made', q{status, sync_state, remote_id IS NOT NULL}), 'solved|failed|t', 'which waits');
like(errors(), qr/status: Assignee: is required/, 'and says why');
value(qq{UPDATE zcsync.tickets SET assignee_id = '$agent', custom_fields = custom_fields || '{"$field{$title}": "19"}' WHERE subject = 'Made'});
work();
is(ticket('Made'), "solved|high|$agent", 'until nothing is missing');

# ---------------------------------------------------------------------
# Scopes: Zendesk grants what is asked for, even if it means nothing
# ---------------------------------------------------------------------
sub grant { value(qq{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "$_[0]"}')}); }
sub scope { return value(q{SELECT string_agg(concat_ws('|', c.ok, c.message), E'\n') FROM zcsync.check_account('acme') AS c WHERE c.item = 'scope'}); }
sub alert { return value(q{SELECT coalesce(string_agg(message, ' '), '') FROM zcsync.alerts WHERE code = 'scope_lacking' AND resolved_at IS NULL}); }
is(scope(), 't|"read write" was granted', 'a scope that is enough');
grant('read');
is(scope(), 'f|"read" was granted, and "write" is needed: acme/tickets is written', 'one that lacks something');
like(alert(), qr/^the token of account "acme" may do too little: "read" was granted/, 'is an alert');
grant('tickets:read tickets:write');
is(scope(), 't|"tickets:read tickets:write" was granted', 'scopes of one resource');
is(alert(), '', 'the alert is over');
grant('raed write');
like(scope(), qr/Zendesk knows no scope "raed", and lets a token with it do nothing/, 'a misspelt one is named');
grant('read write');

# ---------------------------------------------------------------------
# Custom fields, without a stream of fields
# ---------------------------------------------------------------------
sub field_reads { return scalar grep { $_->{path} =~ /ticket_fields/ } @{ $simulator->get('requests', vendor => 'zendesk', limit => 100000)->{requests} }; }
value(q{UPDATE zcsync.fields SET deleted_at = now(), sync_cause = 'pull', sync_xid = pg_current_xact_id(); DELETE FROM zcsync.dead_letters});
my $reads = field_reads();
value(q{UPDATE zcsync.tickets SET custom_fields = custom_fields || '{"99999": "x"}' WHERE subject = 'Beside'});
work();
like(value(q{SELECT message FROM zcsync.dead_letters}), qr/cannot be sent to Zendesk: there is no custom field "99999"/, 'one that is not there is refused');
is(field_reads() - $reads, 1, 'after the fields were read, once');

# ---------------------------------------------------------------------
# Links name hosts; none is followed
# ---------------------------------------------------------------------
$simulator->post('settings', { paged_fields => 5 });
value(q{UPDATE zcsync.fields SET deleted_at = now(), sync_cause = 'pull', sync_xid = pg_current_xact_id()});
value(q{SELECT zcsync.add_stream('acme', 'fields')});
work();
is(value(q{SELECT count(*) FILTER (WHERE deleted_at IS NOT NULL) || ' ' || (count(*) > 10) FROM zcsync.fields}), '0 true', 'a catalogue in pages is read to its end');
is(value(q{SELECT coalesce(string_agg(message, ' '), '') FROM zcsync.errors WHERE source = 'stream'}), '', 'at our own address, though its links name another one');

$node->stop;
done_testing();
