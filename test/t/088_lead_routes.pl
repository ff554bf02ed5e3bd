# Leads become opportunities of a simulated HaloPSA: not before the route is
# resumed, many in one call, each once.  What happens to their status there comes
# back, and costs no call.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 0, '--halopsa-leads', 3, '--halopsa-plan', 'none', '--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\n");

$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; SET timezone = 'UTC'; $_[0]"); }
sub opportunities { return @{ $simulator->get('state/halopsa/opportunities', limit => 100000)->{opportunities} }; }

# Calls that wrote something since the last look; each carries a list.
my $seen = 0;
sub writes
{
	my @all = grep { $_->{seq} > $seen } @{ $simulator->get('requests', vendor => 'halopsa', limit => 1000000)->{requests} };

	$seen = $all[-1]{seq} if @all;
	return map { JSON::PP->new->decode($_->{body}) } grep { $_->{method} eq 'POST' && $_->{path} =~ m{/api/} } @all;
}

# Work until nothing is left but reading; with $pull, read what changed first.
sub work
{
	my ($pull) = @_;

	value(q{SELECT zcsync.refresh('halo/leads')}) if $pull;
	for (1 .. 20)
	{
		run_worker($node, 'postgres', '30 s');
		return if value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('route', 'push', 'fetch') AND state <> 'held'}) == 0
		  && value(q{SELECT count(*) FROM zcsync.streams WHERE history_state = 'running'}) == 0;
	}
	die 'the work does not end';
}

value(sprintf <<'SQL', $simulator->halopsa);
SELECT zcsync.add_account('halo', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_account('crm', 'local');
SELECT zcsync.add_stream('halo', 'leads', since => '2000-01-01');
SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SQL
work(1);
is(value(q{SELECT count(*) FROM zcsync.leads WHERE remote_id IS NOT NULL}), 3, 'the opportunities that were there are read');

# ------------------------------------------------------------ the route

value(<<'SQL');
SELECT ok, error FROM zcsync.sync_leads('apollo', (SELECT jsonb_agg(jsonb_build_object('id', 'a' || i, 'first_name', 'Ann', 'last_name', 'Lead' || i,
	'title', 'CTO', 'organization_name', 'Company ' || i, 'email', format('ann%s@company%s.example', i, i), 'city', 'Bath')) FROM generate_series(1, 40) AS i), 'crm');
SQL
is(value(q{SELECT count(*) FROM zcsync.leads WHERE account_id = zcsync.account('crm')}), 40, 'leads are taken');
value(q{UPDATE zcsync.leads SET status_id = CASE email WHEN 'ann38@company38.example' THEN 5 WHEN 'ann39@company39.example' THEN 6 ELSE 7 END
	WHERE email ~ '^ann(?:38|39|40)@'});
# somebody at HaloPSA knows one of them already
my $known = $simulator->post('create', { vendor => 'halopsa', fields => { tickettype_id => 40, summary => 'Known', oppemailaddress => 'Ann1@Company1.example' } })->{id};
work(1);

my ($rc, undef, $error) = $node->psql('postgres', q{SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Lead')});
like($error, qr/stream "halo\/leads" is read-only/, 'a route needs a target that may be written');
value(q{SELECT zcsync.alter_stream('halo/leads', writes => true)});
($rc, undef, $error) = $node->psql('postgres', q{SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Incident')});
like($error, qr/no ticket type "Incident".*Lead \(40\), Opportunity \(41\)/s, 'and a ticket type for leads');
value(q{SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Opportunity')});
is(value(q{SELECT string_agg(item, ', ') FROM zcsync.check_route('intake') WHERE NOT ok}), '', 'what that type requires is copied');
value(q{SELECT zcsync.unmap_field('intake', 'value')});
is(value(q{SELECT string_agg(item || ': ' || hint, ', ') FROM zcsync.check_route('intake') WHERE NOT ok}),
	q{required field "oppvalue": SELECT zcsync.map_field('intake', 'value', '<expression>');}, 'unless somebody takes it away');
($rc, undef, $error) = $node->psql('postgres', q{SELECT zcsync.resume_route('intake')});
like($error, qr/route "intake" is not ready.*oppvalue/s, 'and then the route does not start');
value(q{SELECT zcsync.map_field('intake', 'value', '1000');
	SELECT zcsync.map_field('intake', 'custom:Lead source', 'source');
	SELECT zcsync.map_field('intake', 'custom:Fit score', 'fit::text');
	SELECT zcsync.map_field('intake', 'custom:Do not call', 'true');
	SELECT zcsync.map_field('intake', 'custom:Products', $$'{Backup,Managed desktop}'::text[]$$)});

is(value(q{SELECT string_agg(op || ' ' || n, ', ' ORDER BY op) FROM (SELECT op, count(DISTINCT source) AS n FROM zcsync.plan('intake') GROUP BY op) AS p}),
	'create 36, link 1', 'the plan: the closed leads are left out, the known one is found');
work(1);
is(scalar(writes()), 0, 'nothing is sent while the route is paused');
value(q{SELECT zcsync.resume_route('intake')});
work(1);
is(scalar(writes()), 0, 'nor of what was there before it began');

# ------------------------------------------------------------ there

is(value(q{SELECT value FROM zcsync.backfill_route('intake', confirm => true) WHERE item = 'queued'}), 37, 'the backfill is asked for');
work();
my @calls = writes();
is(scalar(@calls), 1, 'one call');
is(scalar(@{ $calls[0] }), 36, 'with all of them');
my %there = map { $_->{oppemailaddress} => $_ } opportunities();
my ($one) = $there{'ann2@company2.example'};
is(join('|', map { $one->{$_} // '' } qw(summary oppcontactname oppcompanyname oppjobtitle oppaddr2 oppvalue tickettype_id)),
	'Lead: Company 2|Ann Lead2|Company 2|CTO|Bath|1000|41', 'an opportunity with all that the lead has');
like($one->{details}, qr{Source: apollo\n.*Reference: crm/leads/\#\d+$}s, 'and where it comes from');
is(join('|', map { my $v = $_->{value}; "$_->{id}=" . (ref $v eq 'ARRAY' ? join ',', map { $_->{id} } @$v : $v // '') } sort { $a->{id} <=> $b->{id} } @{ $one->{customfields} }),
	'220=1|221=' . value(q{SELECT fit FROM zcsync.leads WHERE email = 'ann2@company2.example' AND account_id = zcsync.account('crm')}) . '|222=|223=1|224=1900-01-01T00:00:00|225=1,3',
	'custom fields, by their names and types')
  or diag JSON::PP->new->pretty->encode($one->{customfields});
is($there{'Ann1@Company1.example'}{summary}, 'Known', 'the one that was known is as it was');
is(scalar(keys %there), 3 + 1 + 36, 'and no other was made');
is(value(q{SELECT count(*) FROM zcsync.links}), 37, 'all are linked');
work(1);
work(1);
is(scalar(writes()), 0, 'what comes back of it is not answered');
is(value(q{SELECT count(*) FROM zcsync.changes c JOIN zcsync.leads l USING (local_id) WHERE c.cause = 'route' AND l.account_id = zcsync.account('crm')}), 0,
	'nor does it change the leads');

# Changes of leads follow, together.
value(q{UPDATE zcsync.leads SET city = 'Bristol' WHERE email ~ '^ann[2-9]@' AND account_id = zcsync.account('crm')});
work();
@calls = writes();
is(scalar(@calls) . ' ' . scalar(@{ $calls[0] }), '1 8', 'changes travel in one call');
is(join(',', sort keys %{ $calls[0][0] }), 'id,oppaddr2', 'and only what changed');
value(q{SELECT zcsync.sync_lead('zoominfo', '{"id": "z1", "firstName": "Zoe", "lastName": "New", "email": "zoe@new.example", "company": {"name": "New Ltd"}}', 'crm')});
work();
is(scalar(map { @$_ } writes()), 1, 'a new lead becomes an opportunity by itself');

# ------------------------------------------------------------ and back

is(value(q{SELECT string_agg(source_value || '=' || target_value, ' ' ORDER BY source_value) FROM zcsync.route_values WHERE direction = 'back'}), '41=2 42=3',
	'statuses of the same name are mapped');
value(q{SELECT zcsync.map_value('intake', 'status_id', 'Won', 'converted', back => true); SELECT zcsync.map_value('intake', 'status_id', 'Lost', '5', back => true)});
sub edit { my ($mail, $status) = @_; return $simulator->post('edit', { vendor => 'halopsa', id => $there{$mail}{id}, fields => { status_id => $status } }); }
sub status { return value("SELECT status_id FROM zcsync.leads WHERE email = '$_[0]' AND account_id = zcsync.account('crm')"); }
is(status('ann2@company2.example'), 1, 'a lead is new');
edit('ann2@company2.example', 44);
edit('ann3@company3.example', 45);
edit('Ann1@Company1.example', 42);
edit('ann4@company4.example', 43);
work(1);
is(join(' ', map { status("ann$_\@company$_.example") } 1 .. 4), '3 8 5 1', 'what happened there came back, where it is mapped');
is(value(q{SELECT message FROM zcsync.errors WHERE source = 'route intake'}), 'back:status_id: value "43" has no counterpart, so "status_id" does not come back', 'and what is not says so');
is(value(q{SELECT zcsync.map_value('intake', 'status_id', '43', 'qualified', back => true)}), 1, 'mapped later');
work();
is(status('ann4@company4.example'), 3, 'it comes back by itself');
is(value(q{SELECT h.old || ' ' || h.new || ' ' || h.cause FROM zcsync.leads l, zcsync.history('crm/leads/#' || l.local_id, 'status_id') h
	WHERE l.email = 'ann2@company2.example' AND l.account_id = zcsync.account('crm') AND h.action = 'update'}), '1 8 route', 'the history has it');
work(1);
is(scalar(writes()), 0, 'and HaloPSA hears nothing of it');
edit('ann3@company3.example', 44);
work(1);
is(status('ann3@company3.example'), 8, 'a lost one that is won after all comes back as well');
is(join(' ', map { join ',', sort keys %$_ } map { @$_ } writes()), 'details,id', 'and what changed in it meanwhile, its scores, goes there');

# ------------------------------------------------------------ merging leads that both have an opportunity

sub crm { return value("SELECT zcsync.reference('leads', local_id) FROM zcsync.leads WHERE email = '$_[0]' AND account_id = zcsync.account('crm')"); }
sub opportunity { my ($id) = @_; return (grep { $_->{id} == $id } opportunities())[0]; }
my ($kept, $other) = map { { lead => crm($_), id => $there{$_}{id} } } qw(ann10@company10.example ann11@company11.example);
my $before = JSON::PP->new->canonical->encode(opportunity($other->{id}));
value(q{UPDATE zcsync.leads SET city = 'Leeds' WHERE email = 'ann11@company11.example' AND account_id = zcsync.account('crm')});
my $said = value("SELECT string_agg(item || ' ' || value, E'\n' ORDER BY item) FROM zcsync.merge_leads('$kept->{lead}', '$other->{lead}')");
is($said, "kept $kept->{lead}\nmerged $other->{lead}\nunlinked halo/leads/$other->{id} stays as it is, without a lead: route \"intake\" has halo/leads/$kept->{id} for the lead that was kept. Close it there by hand.",
	'the answer names both opportunities');
is(value(q{SELECT concat_ws('|', code, object, severity, message, hint) FROM zcsync.alerts WHERE resolved_at IS NULL}),
	"record_left_over|halo/leads/$other->{id}|warning|halo/leads/$other->{id} has no lead any more: $other->{lead} was merged into $kept->{lead}, which route \"intake\" linked to halo/leads/$kept->{id}|"
	. "Close it at its vendor; to undo the merge: SELECT * FROM zcsync.split_lead('$kept->{lead}');", 'and an alert stays');
work();
writes();
my ($number) = $kept->{lead} =~ /(\d+)$/;
sub kept { return value("SELECT $_[0] FROM zcsync.leads WHERE local_id = $number"); }
value("UPDATE zcsync.leads SET city = 'York', title = 'CEO' WHERE local_id = $number");
value(q{SELECT zcsync.sync_lead('apollo', '{"id": "a11", "first_name": "Ann", "last_name": "Lead11", "title": "CFO", "email": "ann11@company11.example", "city": "Hull"}', 'crm')});
work(1);
is(join(',', sort map { $_->{id} } map { @$_ } writes()), $kept->{id}, 'what the kept lead becomes goes to its opportunity alone');
is(opportunity($kept->{id})->{oppaddr2}, 'York', 'and is there');
is(JSON::PP->new->canonical->encode(opportunity($other->{id})), $before, 'the other is as it was');
edit('ann11@company11.example', 44);
work(1);
is(kept('status_id'), 1, 'what happens to it is no news to the kept lead');
edit('ann10@company10.example', 42);
work(1);
is(kept('status_id'), 3, 'what happens to its own is');
value("SELECT count(*) FROM zcsync.split_lead('$kept->{lead}')");
is(value(q{SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'record_left_over'}), 0, 'taken apart again the alert is over');
work(1);
is(status('ann11@company11.example'), 8, 'and each has its opportunity again');
writes();
value(q{UPDATE zcsync.leads SET city = 'Derby' WHERE email ~ '^ann1[01]@' AND account_id = zcsync.account('crm')});
work();
is(join(',', sort map { $_->{id} } map { @$_ } writes()), join(',', sort $kept->{id}, $other->{id}), 'which gets what becomes of it');
is(value(q{SELECT count(*) FROM zcsync.links WHERE state = 'linked'}), 38, 'nothing is lost');

# a lead that has left the route takes over the opportunity of the one that it absorbs
value("UPDATE zcsync.links SET state = 'unlinked' WHERE source_id = $number");
like(value("SELECT string_agg(item || ' ' || value, E'\n' ORDER BY item) FROM zcsync.merge_leads('$kept->{lead}', '$other->{lead}')"),
	qr{^linked halo/leads/$other->{id} is now that of the lead that was kept}m, 'an opportunity that only the other lead has goes over to the kept one');
is(value(q{SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'record_left_over'}), 0, 'and none is left over');
work();
writes();
value("UPDATE zcsync.leads SET city = 'Ely' WHERE local_id = $number");
work();
is(join(',', map { $_->{id} } map { @$_ } writes()), $other->{id}, 'and gets what becomes of it');

# ------------------------------------------------------------ the brake

value(q{ALTER SYSTEM SET zcsync.bulk_write_limit = 60});
$node->reload;
value(<<'SQL');
SELECT count(*) FROM zcsync.sync_leads('apollo', (SELECT jsonb_agg(jsonb_build_object('id', 'b' || i, 'first_name', 'Bob', 'last_name', 'Lead' || i, 'organization_name', 'Many ' || i,
	'email', format('bob%s@many%s.example', i, i))) FROM generate_series(1, 80) AS i), 'crm');
SQL
work();
my $sent = scalar(map { @$_ } writes());
my $held = value(q{SELECT count(*) FROM zcsync.sync_queue WHERE state = 'held'});
is($sent + $held, 80, 'of too many in an hour some are held');
cmp_ok($held, '>=', 20, 'those beyond the limit');
like(value(q{SELECT message FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'write_brake'}), qr/route "intake" would write more than 60 remote records/, 'with an alert');
work(1);
is(scalar(writes()), 0, 'nothing goes on by itself');
is(value(q{SELECT zcsync.release_held('intake')}), $held, 'somebody releases them');
work();
is(scalar(map { @$_ } writes()), $held, 'and they go');

# The route made anew finds what is there.
value(q{SELECT zcsync.remove_route('intake'); SELECT zcsync.add_route('again', 'crm/leads', 'halo/leads', ticket_type => '40')});
work(1);
is(value(q{SELECT string_agg(op || ' ' || n, ', ' ORDER BY op) FROM (SELECT op, count(DISTINCT source) AS n FROM zcsync.plan('again') GROUP BY op) AS p}),
	'link ' . (36 + 1 + 80), 'a route that is made again finds all pairs');
is($simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0, 0, 'nothing was made twice');
is(value(q{SELECT coalesce(string_agg(message, '; '), '') FROM zcsync.dead_letters}), '', 'nothing failed');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not') - log_lines($node, 'ERROR:  (?:stream "halo/leads" is read-only|halo/leads has no ticket type|route "intake" is not ready)'), 0, 'no other error in the log');
$node->stop;
done_testing();
