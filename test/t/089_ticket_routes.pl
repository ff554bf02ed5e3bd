# Zendesk tickets become tickets of a simulated HaloPSA: each at the client that it
# belongs to and of the user who asks, or not at all until a person says whose it is.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 150, '--tasks', 0, '--zendesk-plan', 'none', '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 'none');
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nzcsync.bulk_write_limit = 10000\n");

$simulator->post('holdback', { seconds => -2 });
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub control { my ($what, %arguments) = @_; return $simulator->post($what, { vendor => 'halopsa', %arguments }); }

# What HaloPSA has, as a table.
sub load
{
	my $rows = $simulator->get('state/halopsa/tickets', limit => 100000)->{tickets};
	my $text = JSON::PP->new->encode($rows);

	$node->safe_psql('postgres', "DROP TABLE IF EXISTS there; CREATE TABLE there AS SELECT e AS doc,
		substring(e ->> 'details' FROM 'https://acme\\.zendesk\\.com/agent/tickets/(\\d+)') AS ticket FROM jsonb_array_elements(\$json\$$text\$json\$::jsonb) AS e");
	return scalar @$rows;
}

# Work until nothing is left but reading; with $pull, read what changed first.
sub work
{
	my ($pull) = @_;

	value(q{SELECT zcsync.refresh(a.name || '/' || s.kind) FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id)}) if $pull;
	for (1 .. 30)
	{
		run_worker($node, 'postgres', '30 s');
		last if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation NOT IN ('pull', 'token')}) == 0
		  && value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	}
	return;
}

# this HaloPSA has no status On Hold
control('catalogue', catalogue => 'statuses', id => 28, remove => \1);
value(sprintf <<'SQL', $simulator->zendesk, $simulator->halopsa);
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "enterprise_plus", "high_volume": true, "base_url": "%s",
	"budgets": {"api": {"calls": 1000000}, "export": {"calls": 1000000}}}', '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_account('halo', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
SELECT zcsync.add_stream('halo', kind, since => '2000-01-01') FROM unnest('{tickets,companies,contacts}'::text[]) AS kind;
SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SELECT zcsync.alter_stream('halo/tickets', writes => true);
SQL
work(1);

# Three customers who have no company and an address at a mail provider, one of
# whom has the address of a user of HaloPSA.
my $user = value(q{SELECT email FROM zcsync.contacts WHERE account_id = zcsync.account('halo') AND email LIKE '%@gmail.com' ORDER BY local_id LIMIT 1});
my $http = HTTP::Tiny->new(default_headers => { 'Content-Type' => 'application/json' });
my $token = JSON::PP->new->decode($http->post($simulator->zendesk . '/oauth/tokens', { content => JSON::PP->new->encode(
	{ grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme', scope => 'read write' }) })->{content})->{access_token};
for my $email ('gus@gmail.com', 'gus@gmail.com', $user)
{
	my $reply = $http->post($simulator->zendesk . '/api/v2/tickets', { headers => { Authorization => "Bearer $token" }, content => JSON::PP->new->encode(
		{ ticket => { subject => "From $email", comment => { body => 'Help' }, requester => { name => 'Gus', email => $email } } }) });

	is($reply->{status}, 201, "a ticket of $email") or diag($reply->{content});
}
work(1);
my $tickets = value(q{SELECT count(*) FROM zcsync.tickets WHERE account_id = zcsync.account('acme') AND deleted_at IS NULL});
cmp_ok($tickets, '>', 100, 'tickets are read');
cmp_ok(value(q{SELECT count(*) FROM zcsync.companies WHERE type = 'client'}), '>=', 14, 'and clients');

# ------------------------------------------------------------ the route

value(q{SELECT zcsync.add_route('desk', 'acme/tickets', 'halo/tickets', ticket_type => 'Change')});
is(value(q{SELECT string_agg(item, ', ' ORDER BY item) FROM zcsync.check_route('desk') WHERE NOT ok}),
	'required field "CFimpact", required field "category_1"', 'a change requires what no ticket has');
my (undef, undef, $error) = $node->psql('postgres', q{SELECT zcsync.resume_route('desk')});
like($error, qr/route "desk" is not ready.*CFimpact/s, 'so the route does not start');
value(q{SELECT zcsync.alter_route('desk', ticket_type => 'Incident')});
is(value(q{SELECT string_agg(item, ', ' ORDER BY item) FROM zcsync.check_route('desk') WHERE NOT ok}), '', 'an incident does not');
is(value(q{SELECT string_agg(source_value || '=' || coalesce(target_id, target_value), ' ' ORDER BY field, source_value) FROM zcsync.route_values}),
	'high=2 low=4 normal=3 urgent=1 closed=9 new=1 open=2 pending=3 solved=18', 'priorities and statuses, as far as the catalogues have them');
work();
is(load(), 0, 'nothing is written while the route is paused');
value(q{SELECT zcsync.resume_route('desk'); SELECT count(*) FROM zcsync.backfill_route('desk', confirm => true)});
work();

# A status without counterpart holds back that field, not the ticket.
my $hold = value(q{SELECT count(*) FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id WHERE t.status = 'hold'});
cmp_ok($hold, '>', 0, 'tickets on hold are there');
is(value(q{SELECT count(*) || ' ' || min(hint) FROM zcsync.route_errors WHERE field = 'status'}),
	qq{$hold SELECT zcsync.map_value('desk', 'status', 'hold', '<value of the target>');}, 'and their status waits');
is(value(q{SELECT zcsync.map_value('desk', 'status', 'hold', 'Pending')}), $hold, 'until it is mapped');
work();

# ------------------------------------------------------------ who belongs where

# Whose a ticket is: of the client that alone owns the domain of its requester.
value(<<'SQL');
CREATE VIEW expected AS
SELECT t.remote_id AS ticket, lower(r.email) AS email, split_part(lower(r.email), '@', 2) AS domain, o.clients, t.subject, t.status, t.priority
FROM zcsync.tickets t
LEFT JOIN zcsync.contacts r ON r.account_id = t.account_id AND r.remote_id = t.requester_id
CROSS JOIN LATERAL (
	SELECT coalesce(array_agg(DISTINCT u.organization_id), '{}') FROM zcsync.contacts u
	WHERE u.account_id = zcsync.account('halo') AND split_part(lower(u.email), '@', 2) = split_part(lower(r.email), '@', 2)) AS o (clients)
WHERE t.account_id = zcsync.account('acme') AND t.deleted_at IS NULL;
SQL
load();
my $owned = value(q{SELECT count(*) FROM expected WHERE cardinality(clients) = 1 AND domain <> 'gmail.com'});
cmp_ok($owned, '>', 20, 'many tickets have a client');
cmp_ok($owned, '<', $tickets, 'but not all');
is(value('SELECT count(*) FROM there'), $owned, 'each of them is at HaloPSA');
is(value('SELECT count(*) FROM (SELECT ticket FROM there GROUP BY ticket HAVING count(*) > 1) x'), 0, 'once');
is(value(q{SELECT coalesce(string_agg(x.ticket, ', '), '') FROM there t JOIN expected x USING (ticket)
	WHERE t.doc ->> 'client_id' IS DISTINCT FROM x.clients[1] OR cardinality(x.clients) <> 1}), '', 'of the right client');
is(value(q{SELECT coalesce(string_agg(x.ticket, ', '), '') FROM there t JOIN expected x USING (ticket)
	LEFT JOIN zcsync.contacts u ON u.account_id = zcsync.account('halo') AND lower(u.email) = x.email
	WHERE (u.remote_id IS NOT NULL AND t.doc ->> 'user_id' IS DISTINCT FROM u.remote_id)
		OR NOT EXISTS (SELECT FROM zcsync.companies s WHERE s.remote_id = 'site-' || (t.doc ->> 'site_id') AND s.parent_id = t.doc ->> 'client_id')}), '',
	'of the right user, at a site of the client');
is(value(q{SELECT coalesce(string_agg(x.ticket, ', '), '') FROM there t JOIN expected x USING (ticket)
	WHERE (t.doc ->> 'status_id')::integer IS DISTINCT FROM CASE x.status WHEN 'new' THEN 1 WHEN 'open' THEN 2 WHEN 'pending' THEN 3 WHEN 'hold' THEN 3 WHEN 'solved' THEN 18 ELSE 9 END
		OR (x.priority IS NOT NULL AND (t.doc ->> 'priority_id')::integer IS DISTINCT FROM array_position('{urgent,high,normal,low}', x.priority))
		OR t.doc ->> 'summary' IS DISTINCT FROM btrim(x.subject)}), '', 'with status, priority and subject');
is(value(q{SELECT coalesce(sum(records), 0) FROM zcsync.unmapped_companies}), $tickets - $owned, 'the others wait');
is(value(q{SELECT count(*) FROM zcsync.unmapped_companies WHERE hint IS NULL}), 0, 'with what to run');

# Two clients have only addresses of one mail provider.
is(value(q{SELECT count(*) || ' ' || min(cardinality(clients)) FROM expected WHERE domain = 'gmail.com'}), '3 2', 'two clients share a mail provider');
is(value(q{SELECT count(*) FROM there t JOIN expected x USING (ticket) WHERE x.domain = 'gmail.com'}), 0, 'which tells nothing of whose a ticket is');
is(value(q{SELECT string_agg(company || ' ' || records, ', ' ORDER BY company) FROM zcsync.unmapped_companies WHERE company LIKE '%@%'}),
	join(', ', sort 'acme/companies/gus@gmail.com 2', "acme/companies/$user 1"), 'its customers are named by their addresses');
(undef, undef, $error) = $node->psql('postgres', q{SELECT zcsync.map_company('acme/companies/@gmail.com', 'halo/companies/12')});
like($error, qr/anybody can have an address of "gmail.com"/, 'and the domain cannot be mapped');

# ------------------------------------------------------------ mapped later

my $client = value(q{SELECT remote_id FROM zcsync.companies WHERE type = 'client' AND active IS NOT FALSE ORDER BY remote_id::bigint LIMIT 1 OFFSET 3});
is(value("SELECT zcsync.map_company('acme/companies/gus\@gmail.com', 'halo/companies/$client')"), 2, 'an address is mapped');
my ($company, $records) = split /\|/, value(q{SELECT company, records FROM zcsync.unmapped_companies WHERE company NOT LIKE '%@%' ORDER BY records DESC, company LIMIT 1});
is(value("SELECT zcsync.map_company('$company', 'halo/companies/$client')"), $records, 'and a company');
work();
load();
is(value('SELECT count(*) FROM there'), $owned + 2 + $records, 'what waited for them goes by itself');
is(value(qq{SELECT count(*) FROM there t JOIN expected x USING (ticket) WHERE x.email = 'gus\@gmail.com' AND t.doc ->> 'client_id' = '$client'}), 2,
	'to the client that was named');
is(value("SELECT count(*) FROM zcsync.unmapped_companies WHERE company IN ('$company', 'acme/companies/gus\@gmail.com')"), 0, 'and is no longer listed');

# A default takes the rest, when somebody wants that.
value(qq{SELECT zcsync.alter_route('desk', default_client => '$client', unknown_user => 'general')});
work();
is(load(), $tickets, 'with a default client all tickets go');
is(value('SELECT count(*) FROM zcsync.unmapped_companies'), 0, 'and none waits');

# ------------------------------------------------------------ afterwards

# The text of a ticket that an agent made may be private: it comes once the comments of
# the ticket were read, which is done in turns.
value(q{UPDATE zcsync.streams SET comments_at = zcsync._now() WHERE comments_at IS NOT NULL});
work();
load();
is(value(q{SELECT count(*) FROM there JOIN expected USING (ticket) WHERE subject LIKE 'From %' AND doc ->> 'details' LIKE E'%\n\nHelp\n\n%'}), 3,
	'the texts of tickets that agents made follow their comments');

my $writes = $simulator->get('stats')->{writes};
work(1);
value(q{UPDATE zcsync.streams SET comments_at = zcsync._now() WHERE comments_at IS NOT NULL});
work(1);
is($simulator->get('stats')->{writes}, $writes, 'what comes back is not answered')
  or diag(JSON::PP->new->canonical->pretty->encode($simulator->get('ledger', since => $writes)->{writes}));
my $some = value(q{SELECT ticket FROM expected WHERE status = 'open' AND cardinality(clients) = 1 AND domain <> 'gmail.com' ORDER BY ticket LIMIT 1});
$simulator->post('edit', { account => 'acme', id => 0 + $some, fields => { status => 'pending', priority => 'urgent' } });
work(1);
load();
is(value(qq{SELECT concat_ws(' ', doc ->> 'status_id', doc ->> 'priority_id') FROM there WHERE ticket = '$some'}), '3 1', 'a change at Zendesk follows');

value(q{SELECT zcsync.remove_route('desk'); SELECT zcsync.add_route('again', 'acme/tickets', 'halo/tickets', ticket_type => '1')});
is(value(q{SELECT string_agg(op || ' ' || n, ', ' ORDER BY op) FROM (SELECT op, count(DISTINCT source) AS n FROM zcsync.plan('again') WHERE op <> 'error' GROUP BY op) AS p}),
	"link $tickets", 'a route that is made again finds all pairs');
is(load(), $tickets, 'nothing was made twice');

is(value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.dead_letters}), '', 'nothing failed');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not') - log_lines($node, 'ERROR:  (?:route "desk" is not ready|anybody can have an address)'), 0, 'no other error in the log');
$node->stop;
done_testing();
