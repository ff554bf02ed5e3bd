# Tickets of a simulated Zendesk and of a simulated HaloPSA, kept in step in both
# directions: by one route, and by two that lead opposite ways.  Each change goes
# over once, nothing is answered, and no copy is copied.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 60, '--tasks', 0, '--zendesk-plan', 'none', '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 'none',
	'--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nzcsync.bulk_write_limit = 100000\njit = off\n");

$simulator->post('holdback', { seconds => -2 });
$node->start;
setup_zcsync($node, 'postgres');
$simulator->post('settings', { lenient_solve => 1 });	# not what this is about

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { vendor => 'halopsa', kind => 'ticket', %arguments }); }
sub create { my ($vendor, %fields) = @_; return $simulator->post('create', { $vendor eq 'zendesk' ? (account => 'acme') : (vendor => 'halopsa', kind => 'ticket'), fields => \%fields })->{id}; }

# Somebody edits tickets, as [side, id, fields]; times at Zendesk are in whole seconds.
sub edits
{
	$simulator->post('clock', { advance_seconds => 2 });
	$simulator->post('edits', [ map { { $_->[0] eq 'z' ? (account => 'acme') : (vendor => 'halopsa', kind => 'ticket'), id => 0 + $_->[1], fields => $_->[2] } } @_ ]);
	$simulator->post('clock', { advance_seconds => 2 });
	return;
}

# Work until nothing is left but reading; with $pull, read what changed first.
sub work
{
	my ($pull) = @_;
	value(q{SELECT zcsync.refresh(a.name || '/' || s.kind) FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id)
		WHERE s.kind IN ('tickets', 'contacts')}) if $pull;
	for (1 .. 30)
	{
		value(q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready' AND operation <> 'pull';
			UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
			UPDATE zcsync.account_budgets SET paused_until = NULL});
		run_worker($node, 'postgres', '30 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'token')}) == 0
		  && value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	}
	return;
}

# What was written since the last look: zendesk, halopsa.
my %seen = (zendesk => 0, halopsa => 0);
sub writes
{
	my @count;

	for my $vendor (qw(zendesk halopsa))
	{
		my @new = grep { $_->{seq} > $seen{$vendor} } @{ $simulator->get('ledger', vendor => $vendor, since => $seen{$vendor}, limit => 1000000)->{writes} };
		$seen{$vendor} = $new[-1]{seq} if @new;
		push @count, scalar @new;
	}
	return "@count";
}

# The tickets at both vendors, as tables.
sub load
{
	my $z = JSON::PP->new->encode($simulator->get('state/tickets', account => 'acme', limit => 100000)->{tickets});
	my $h = JSON::PP->new->encode($simulator->get('state/halopsa/tickets', limit => 100000)->{tickets});

	$node->safe_psql('postgres', "DROP TABLE IF EXISTS z, h; CREATE TABLE z AS SELECT e ->> 'id' AS id, e AS doc FROM jsonb_array_elements(\$json\$$z\$json\$::jsonb) AS e;
		CREATE TABLE h AS SELECT e ->> 'id' AS id, e AS doc FROM jsonb_array_elements(\$json\$$h\$json\$::jsonb) AS e");
	return;
}

# Pairs of which the sides differ, with the usual numbers.
sub apart
{
	load();
	return value(q{
		SELECT coalesce(string_agg(concat_ws(' ', r.name, z.id, z.doc ->> 'status', z.doc ->> 'priority', '/', h.id, h.doc ->> 'status_id', h.doc ->> 'priority_id'), ', '), '')
		FROM zcsync.links l JOIN zcsync.routes r USING (route_id)
		JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tickets t ON t.local_id = l.target_id
		LEFT JOIN z ON z.id = CASE WHEN s.account_id = zcsync.account('acme') THEN s.remote_id ELSE t.remote_id END
		LEFT JOIN h ON h.id = CASE WHEN s.account_id = zcsync.account('acme') THEN t.remote_id ELSE s.remote_id END
		WHERE z.id IS NULL OR h.id IS NULL
			OR NOT CASE z.doc ->> 'status' WHEN 'new' THEN '{1}' WHEN 'open' THEN '{2}' WHEN 'pending' THEN '{3}' WHEN 'hold' THEN '{28}' WHEN 'solved' THEN '{18,9}' ELSE '{9}' END::text[]
				@> ARRAY[h.doc ->> 'status_id']
			OR (z.doc ->> 'priority' IS NOT NULL AND h.doc ->> 'priority_id' <> array_position('{urgent,high,normal,low}', z.doc ->> 'priority')::text)});
}

value(sprintf <<'SQL', $simulator->zendesk, $simulator->halopsa);
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "enterprise_plus", "high_volume": true, "base_url": "%s",
	"budgets": {"api": {"calls": 1000000}, "export": {"calls": 1000000}, "write": {"calls": 1000000}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}');
SELECT zcsync.add_account('psa', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
SELECT zcsync.add_stream('acme', 'statuses');
SELECT zcsync.add_stream('psa', kind, since => '2000-01-01') FROM unnest('{tickets,companies,contacts}'::text[]) AS kind;
SELECT zcsync.add_stream('psa', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SELECT zcsync.alter_stream('psa/tickets', writes => true);
SQL
work(1);
my $tickets = value(q{SELECT count(*) FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND deleted_at IS NULL});
cmp_ok($tickets, '>', 50, 'tickets are read');

# ------------------------------------------------------------ one route, both directions

my $route = q{SELECT zcsync.add_route('desk', 'acme/tickets', 'psa/tickets', direction => 'both', ticket_type => 'Incident', default_client => '12')};
my (undef, undef, $error) = $node->psql('postgres', $route);
like($error, qr/nothing can come back to acme\/tickets: the stream is read-only.*alter_stream\('acme\/tickets', writes => true\)/s, 'a route back needs a stream that can be written');
value(q{SELECT zcsync.alter_stream('acme/tickets', writes => true)});
value($route);
is(value(q{SELECT string_agg(source_value || '=' || target_value, ' ' ORDER BY length(source_value), source_value) FROM zcsync.route_values WHERE direction = 'back' AND field = 'status'}),
	'1=new 2=open 3=pending 8=solved 9=solved 18=solved 21=pending 28=hold', 'statuses that come back, by the catalogue');
is(value(q{SELECT string_agg(item || ': ' || message, ', ') FROM zcsync.check_route('desk') WHERE NOT ok}), '', 'nothing is wrong with it');
value(q{SELECT zcsync.resume_route('desk'); SELECT count(*) FROM zcsync.backfill_route('desk', confirm => true)});
work();
is(writes(), "0 $tickets", 'each ticket is made at HaloPSA, and nothing is written to Zendesk');
work(1);
work(1);
is(writes(), '0 0', 'what HaloPSA made of them does not come back');
is(apart(), '', 'both sides agree');

# The pair of the nth ticket that is not closed.
my @pairs = map { [ split /\|/ ] } split /\n/, value(q{
	SELECT s.remote_id, t.remote_id FROM zcsync.links l JOIN zcsync.tickets s ON s.local_id = l.source_id JOIN zcsync.tickets t ON t.local_id = l.target_id
	WHERE s.status IN ('open', 'pending') ORDER BY s.remote_id::bigint});
cmp_ok(scalar @pairs, '>=', 15, 'many of them are open');
my ($z, $h) = @{ $pairs[0] };

edits([ 'h', $h, { status_id => 18 } ]);
work(1);
is(writes(), '1 0', 'a status that changed at HaloPSA arrives at Zendesk, once');
load();
is(value("SELECT doc ->> 'status' FROM z WHERE id = '$z'"), 'solved', 'as its counterpart');
is(value("SELECT concat_ws(' ', h.old, h.new, h.cause) FROM zcsync.history('acme/tickets/$z', 'status') h WHERE h.action = 'update' ORDER BY h.at DESC LIMIT 1"),
	value("SELECT concat_ws(' ', h.old, 'solved', 'route') FROM zcsync.history('acme/tickets/$z', 'status') h WHERE h.action = 'update' ORDER BY h.at DESC LIMIT 1"), 'the history has it');
work(1);
work(1);
is(writes(), '0 0', 'and has no echo');
edits([ 'z', $z, { status => 'open', priority => 'urgent' } ]);
work(1);
is(writes(), '0 1', 'a change at Zendesk goes the other way');
work(1);
is(writes(), '0 0', 'and is not answered');
is(apart(), '', 'both sides agree');

# Both at once.
edits([ 'z', $z, { priority => 'low' } ], [ 'h', $h, { status_id => 28 } ]);
work(1);
is(writes(), '1 1', 'changes of different fields cross');
load();
is(value("SELECT concat_ws(' ', z.doc ->> 'status', z.doc ->> 'priority', h.doc ->> 'status_id', h.doc ->> 'priority_id') FROM z, h WHERE z.id = '$z' AND h.id = '$h'"), 'hold low 28 4', 'and both have both');
# read on both sides before the route goes on, or it would depend on who is read first
value(q{SELECT zcsync.pause_route('desk')});
edits([ 'z', $z, { status => 'pending' } ], [ 'h', $h, { status_id => 18 } ]);
work(1);
value(q{SELECT zcsync.resume_route('desk')});
work();
is(writes(), '0 1', 'of the same field the source wins');
is(value("SELECT status FROM zcsync.tickets WHERE account_id = zcsync.account('psa') AND remote_id = '$h'"), 3, 'on both sides');
work(1);
is(writes(), '0 0', 'and that is all');

# HaloPSA was changed after it was read, and Zendesk while the change was on its way.
value(q{SELECT zcsync.pause_route('desk')});
edits([ 'h', $h, { status_id => 18 } ]);
work(1);
edits([ 'z', $z, { priority => 'high' } ]);
value(q{SELECT zcsync.resume_route('desk')});
work();
work(1);
is(writes(), '1 1', 'a change that Zendesk refuses as too late is made again');
load();
is(value("SELECT concat_ws(' ', z.doc ->> 'status', z.doc ->> 'priority', h.doc ->> 'status_id', h.doc ->> 'priority_id') FROM z, h WHERE z.id = '$z' AND h.id = '$h'"), 'solved high 18 2', 'and nothing is lost');

# Both sides edit one field while a vendor is down, so that what the route wrote still waits when
# the vendor's page comes: the source wins, and what lost is in the history.
sub down { my ($vendor, %what) = @_; $simulator->post('faults', { vendor => $vendor, fault => 'status', status => 503, count => 0, %what }); return; }
sub reads { my ($stream) = @_; value(qq{UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
	UPDATE zcsync.sync_queue SET run_at = now() + interval '1 hour' WHERE operation = 'push' AND state = 'ready'; SELECT zcsync.refresh('$stream'); CALL zcsync.run('20 s')}); return; }
sub agreed { my ($what) = @_; work(); work(1); load(); is(value("SELECT concat_ws(' ', z.doc ->> 'status', h.doc ->> 'status_id') FROM z, h WHERE z.id = '$z' AND h.id = '$h'"), 'pending 3', $what); return; }
sub lost { my ($record, $field) = @_; return value("SELECT coalesce(string_agg(concat_ws(' ', h.old, h.new, h.cause), ', ' ORDER BY h.at), '') FROM zcsync.history('$record', '$field') h WHERE h.action = 'lost'"); }
sub both_open { edits([ 'z', $z, { status => 'open' } ]); work(1); work(1); writes(); return; }

both_open();
down('halopsa');
edits([ 'z', $z, { status => 'pending' } ], [ 'h', $h, { status_id => 28 } ]);
reads('acme/tickets');
is(value("SELECT concat_ws(' ', status, sync_state) FROM zcsync.tickets WHERE account_id = zcsync.account('psa') AND remote_id = '$h'"), '3 pending', 'the target is down, and the value of the source waits');
$simulator->no_faults;
down('halopsa', method => 'POST', path => '/api/Tickets');
reads('psa/tickets');
is(value("SELECT concat_ws(' ', status, sync_state) FROM zcsync.tickets WHERE account_id = zcsync.account('psa') AND remote_id = '$h'"), '3 pending', 'the page of the target does not take its place');
is(lost("psa/tickets/$h", 'status'), '28 3 pull', 'and the value of the target is in the history');
$simulator->no_faults;
agreed('the source wins when the target was down');
is(writes(), '0 1', 'by one write');
both_open();
down('halopsa');
edits([ 'h', $h, { status_id => 28 } ]);
reads('acme/tickets');
edits([ 'z', $z, { status => 'pending' } ]);
$simulator->no_faults;
reads('psa/tickets');
reads('acme/tickets');
agreed('also when the target is read first');
both_open();
down('zendesk');
edits([ 'h', $h, { status_id => 28 } ], [ 'z', $z, { status => 'pending' } ]);
reads('psa/tickets');
is(value("SELECT concat_ws(' ', status, sync_state) FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND remote_id = '$z'"), 'hold pending', 'the source is down, and what comes back waits');
$simulator->no_faults;
reads('acme/tickets');
agreed('the source wins when it was down itself');
like(lost("acme/tickets/$z", 'status'), qr/(?:^|, )hold pending pull\z/, 'and what came back is in its history');
writes();

# What Zendesk closed is final.
edits([ 'z', $z, { status => 'closed' } ]);
work(1);
is(writes(), '0 1', 'closed');
edits([ 'h', $h, { status_id => 2 } ]);
work(1);
is(writes(), '0 0', 'what happens to it at HaloPSA stays there');
is(value(qq{SELECT reference || ': ' || message FROM zcsync.errors WHERE source = 'route desk'}), "acme/tickets/$z: back:status: the record there is closed, so its field \"status\" cannot be changed", 'and is said');
edits([ 'h', $h, { status_id => 9 } ]);
work(1);
is(value(q{SELECT count(*) FROM zcsync.errors WHERE source = 'route desk'}), 0, 'until it is closed there, too');

# ------------------------------------------------------------ the other way

value(q{SELECT zcsync.add_route('up', 'psa/tickets', 'acme/tickets', direction => 'both')});
is(value(q{SELECT string_agg(item || ': ' || message, ', ') FROM zcsync.check_route('up') WHERE NOT ok}), '', 'a route from HaloPSA to Zendesk is ready');
is(value(q{SELECT count(*) FROM zcsync.plan('up') WHERE op <> 'error'}), 0, 'the pairs of the other route are left to it');
my (undef, undef, $refused) = $node->psql('postgres', q{SELECT zcsync.resume_route('up')});
like($refused, qr/route "desk" already drives pairs that route "up" would drive/, 'a route that would take them all the same does not start');
value(q{SELECT zcsync.alter_route('up', filter => 'external_id IS NULL'); SELECT zcsync.resume_route('up'); SELECT count(*) FROM zcsync.backfill_route('up', confirm => true)});
work();
is(writes(), '0 0', 'one that takes what began at HaloPSA has nothing to write yet');

# One asks whom Zendesk knows, and one whom it does not.
my ($user2, $client, $site, $mail2) = split /\|/, value(q{SELECT u.remote_id, u.organization_id, u.site_id, u.email FROM zcsync.contacts u
	WHERE u.account_id = zcsync.account('psa') AND u.email IS NOT NULL AND u.site_id IS NOT NULL
		AND NOT EXISTS (SELECT FROM zcsync.contacts c WHERE c.account_id = zcsync.account('acme') AND lower(c.email) = lower(u.email)) ORDER BY u.remote_id::bigint LIMIT 1});
my $mail = value(q{SELECT c.email FROM zcsync.contacts c JOIN zcsync.tickets t ON t.account_id = c.account_id AND t.requester_id = c.remote_id ORDER BY c.remote_id::bigint LIMIT 1});
my $user = control('create', kind => 'user', fields => { name => 'Uma User', emailaddress => uc $mail, site_id => 0 + $site, client_id => 0 + $client })->{id};
my $one = create('halopsa', summary => 'From a user', details => 'It smokes.', status_id => 3, priority_id => 2, tickettype_id => 1, client_id => 0 + $client, site_id => 0 + $site, user_id => 0 + $user);
my $two = create('halopsa', summary => 'From a new user', details => 'It burns.', status_id => 1, tickettype_id => 1, client_id => 0 + $client, site_id => 0 + $site, user_id => 0 + $user2);
# the answer to one of the creates is lost
$simulator->post('faults', { fault => 'reset_after', vendor => 'zendesk', method => 'POST', path => '/api/v2/tickets' });
work(1);
work(1);
is(writes(), '2 0', 'new tickets of HaloPSA are made at Zendesk, once, and not copied back');
load();
is(value(q{SELECT concat_ws(' ', doc ->> 'subject', doc ->> 'status', doc ->> 'priority') FROM z WHERE doc ->> 'subject' LIKE 'From a%' ORDER BY 1}),
	"From a new user new low\nFrom a user pending high", 'with subject, status and priority');
is(value(q{SELECT string_agg(c.email, ', ' ORDER BY z.doc ->> 'subject') FROM z JOIN zcsync.contacts c ON c.account_id = zcsync.account('acme') AND c.remote_id = z.doc ->> 'requester_id' WHERE doc ->> 'subject' LIKE 'From a%'}),
	"$mail2, $mail", 'asked by the right people');
my $address = uc $mail;
like(value(q{SELECT doc ->> 'description' FROM z WHERE doc ->> 'subject' = 'From a user'}), qr{\ATicket #$one\n\nIt smokes\.\n\nRequester: Uma User <\Q$address\E>\n\nhttp\S+/ticket\?id=$one\z}, 'and the text of the ticket');
is(value(q{SELECT count(*) FROM z}), 62, 'no ticket too many') or diag(value(q{SELECT string_agg(doc ->> 'subject', ', ') FROM z WHERE doc ->> 'external_id' LIKE 'zcsync-%'}));
my $made = value(q{SELECT id FROM z WHERE doc ->> 'subject' = 'From a user'});
edits([ 'z', $made, { status => 'solved' } ]);
work(1);
is(writes(), '0 1', 'a change of the copy goes back');
edits([ 'h', $one, { status_id => 2, details => 'It smokes again.', priority_id => 1 } ]);
work(1);
is(writes(), '1 0', 'and one of the original forth');
is(apart(), '', 'both sides agree');

# A new one here, and one whose text nobody may see; HaloPSA's answer is lost, and its
# page faster than the look-up.
my $new = create('zendesk', subject => 'A new one', description => 'Help', status => 'open', priority => 'normal');
my $private = create('zendesk', subject => 'A private one', description => 'secret text', status => 'open', is_public => JSON::PP::false());
$simulator->post('faults', { fault => 'reset_after', vendor => 'halopsa', method => 'POST', path => '/api/Tickets' });
value(q{SELECT zcsync.refresh('acme/tickets'); CALL zcsync.run('2 s')});
value(q{SELECT zcsync.refresh('psa/tickets'); CALL zcsync.run('2 s')});
work(1);
work(1);
is(writes(), '0 2', 'new tickets of Zendesk are made at HaloPSA, once, and not copied back');
load();
is(value(q{SELECT string_agg(doc ->> 'summary', ', ' ORDER BY 1) FROM h WHERE doc ->> 'summary' LIKE 'A %'}), 'A new one, A private one', 'both');
is(value(q{SELECT count(*) FROM h WHERE doc::text LIKE '%secret text%'}), 0, 'text of a ticket without public comments stays out');
is(value(q{SELECT count(*) FROM zcsync.links GROUP BY route_id ORDER BY 1}), "2\n" . ($tickets + 2), 'each is one pair of one of the routes');

# ------------------------------------------------------------ many edits on both sides

my @status = ([ 'open', 2 ], [ 'pending', 3 ], [ 'hold', 28 ], [ 'solved', 18 ]);
my @priority = ([ 'urgent', 1 ], [ 'high', 2 ], [ 'normal', 3 ], [ 'low', 4 ]);
sub many
{
	my ($count, $rounds) = @_;
	my $edits = 0;
	my @open = @pairs[ 1 .. $#pairs ];

	srand(1);
	for my $round (1 .. $rounds)
	{
		my @edits;
		for my $side ('z', 'h')
		{
			for (1 .. $count / $rounds)
			{
				my $pair = $open[ rand @open ];
				my $i = $side eq 'z' ? 0 : 1;
				my %fields = rand() < 0.7 ? ($i ? 'status_id' : 'status', $status[ rand @status ][$i]) : ($i ? 'priority_id' : 'priority', $priority[ rand @priority ][$i]);

				push @edits, [ $side, $pair->[$i], \%fields ];
			}
		}
		$edits += @edits;
		edits(@edits);
		work(1) if $round % 2;		# the others have the next ones on top of them
		value(q{SELECT zcsync.refresh('psa/tickets'); CALL zcsync.run('300 ms')}) if $round % 4 == 0;
	}
	work(1);
	work(1);
	my ($to_z, $to_h) = split / /, writes();
	cmp_ok($to_z + $to_h, '<=', $edits, "$edits edits on both sides: $to_z writes to Zendesk and $to_h to HaloPSA");
	cmp_ok($to_z, '>', 10, 'in both directions');
	cmp_ok($to_h, '>', 10, 'indeed');
	work(1);
	work(1);
	is(writes(), '0 0', 'then silence');
	is(apart(), '', 'and both sides agree');
	return;
}
many(200, 10);
value(q{SELECT zcsync.remove_route('up')});
many(200, 10);

is($simulator->get('stats')->{duplicates}{zendesk}{marker}{duplicates} // 0, 0, 'nothing was made twice at Zendesk');
is($simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0, 0, 'nor at HaloPSA');
is(value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.dead_letters}), '', 'nothing failed');
is(value(q{SELECT coalesce(string_agg(reference || ': ' || message, '; '), '') FROM zcsync.errors}), '', 'and nothing waits');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not') - log_lines($node, 'ERROR:  nothing can come back|ERROR:  route "desk" already drives'), 0, 'no error in the log');
$node->stop;
done_testing();
