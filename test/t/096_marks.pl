# Two databases write to one account: a second installation, as for staging or
# after the first was lost.  Numbers of one mean nothing in the other, so a record
# that the other one made is left alone until adopt_marks() takes it over.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 'none', '--keep-requests', 20000);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(first second);

sub value { my ($database, $sql) = @_; return $node->safe_psql($database, "SET client_min_messages = error; SET timezone = 'UTC'; $sql"); }

# Work until nothing is left but reading; read what changed first.
sub work
{
	my ($database) = @_;

	$simulator->post('clock', { advance_seconds => 4 });
	value($database, q{SELECT zcsync.refresh('halo/leads')});
	for my $round (1 .. 20)
	{
		# a slow machine may have opened the breaker
		value($database, q{UPDATE zcsync.sync_queue SET run_at = now() WHERE state = 'ready';
			UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, breaker_opened_at = NULL;
			UPDATE zcsync.account_budgets SET paused_until = NULL});
		run_worker($node, $database, '30 s');
		last if $round > 1 && value($database, q{SELECT (SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('route', 'push', 'apply', 'fetch') AND state <> 'held')
			+ (SELECT count(*) FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id)
				WHERE a.vendor <> 'local' AND (s.last_pull_at IS NULL OR s.history_state = 'running'))}) == 0;
	}
	return;
}

# What the vendor has, by the name of the company.
sub there { return map { $_->{oppcompanyname} // $_->{summary} => $_ } @{ $simulator->get('state/halopsa/opportunities', limit => 100000)->{opportunities} }; }
sub digest { return md5_hex(JSON::PP->new->canonical->utf8->encode($_[0])); }

# The same accounts and the same route in both; leads have the same numbers.
sub install
{
	my ($database, @leads) = @_;
	my $leads = JSON::PP->new->encode(\@leads);

	setup_zcsync($node, $database);
	value($database, sprintf <<'SQL', $simulator->halopsa);
SELECT zcsync.add_account('halo', 'halopsa', '{"base_url": "%s", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_account('crm', 'local');
SELECT zcsync.add_stream('halo', 'leads', since => '2000-01-01');
SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses}'::text[]) AS kind;
SELECT zcsync.alter_stream('halo/leads', writes => true);
SQL
	work($database);
	value($database, "SELECT setval('zcsync.local_id_seq', 1000); SELECT count(*) FROM zcsync.sync_leads('apollo', '$leads', 'crm')");
	value($database, q{SELECT zcsync.add_route('intake', 'crm/leads', 'halo/leads', ticket_type => 'Opportunity'); SELECT zcsync.map_field('intake', 'value', '1000')});
	return;
}
sub lead
{
	my ($name, $number) = @_;
	return { id => lc($name) . $number, first_name => $name, last_name => "Lead$number", organization_name => "$name $number", email => lc("$name$number\@$name$number.example") };
}
sub backfill { my ($database) = @_; value($database, q{SELECT zcsync.resume_route('intake'); SELECT count(*) FROM zcsync.backfill_route('intake', confirm => true)}); work($database); return; }
sub errors { return value('second', q{SELECT coalesce(string_agg(concat_ws(' ', l.email, e.code), ', ' ORDER BY l.email), '') FROM zcsync.route_errors e JOIN zcsync.leads l ON l.local_id = e.source_id}); }

install('first', map { lead('Ann', $_) } 1 .. 3);
backfill('first');
my %first = there();
is(join(',', sort keys %first), 'Ann 1,Ann 2,Ann 3', 'the first installation makes opportunities');

# ------------------------------------------------------------ the numbers of strangers

install('second', map { lead('Bob', $_) } 1 .. 3);
is(value('second', q{SELECT string_agg(local_id::text, ',' ORDER BY local_id) FROM zcsync.leads WHERE account_id = zcsync.account('crm')}),
	value('first', q{SELECT string_agg(local_id::text, ',' ORDER BY local_id) FROM zcsync.leads WHERE account_id = zcsync.account('crm')}), 'leads of the second one have the same numbers');
backfill('second');
my %both = there();
is(join(',', sort keys %both), 'Ann 1,Ann 2,Ann 3,Bob 1,Bob 2,Bob 3', 'the second one makes its own');
is(digest({ map { $_ => $both{$_} } keys %first }), digest(\%first), 'and overwrites none of a stranger');
is(errors(), '', 'there is nothing to say about that');
is(value('second', q{SELECT string_agg(l.email || ' ' || o.email, ', ' ORDER BY l.email) FROM zcsync.links k JOIN zcsync.leads l ON l.local_id = k.source_id JOIN zcsync.leads o ON o.local_id = k.target_id}),
	join(', ', map { "bob$_\@bob$_.example bob$_\@bob$_.example" } 1 .. 3), 'and pairs belong together');

# ------------------------------------------------------------ what both know

# Each installation has a lead with the same e-mail address; the first one made its opportunity.
sub adoption { return value('second', "SELECT coalesce(string_agg(concat_ws(' ', op, regexp_replace(counterpart, '#.*', '#'), message), ', ' ORDER BY record), '') FROM zcsync.adopt_marks('halo'" . ($_[0] // '') . ')'); }
sub take { my ($database, @leads) = @_; value($database, q{SELECT count(*) FROM zcsync.sync_leads('apollo', '} . JSON::PP->new->encode(\@leads) . q{', 'crm')}); work($database); return; }
take('first', lead('Cat', 1), { %{ lead('Cat', 2) }, organization_name => 'Another firm' }, lead('Cat', 3));
my $cat = { there() };
$simulator->post('create', { vendor => 'halopsa', fields => { tickettype_id => 41, summary => 'By hand', oppcompanyname => 'By hand', details => "Text\n\nReference: crm/leads/#1001\nzcsync-12345678-9abc-4def-8123-456789abcdef" } });
work('second');
take('second', map { lead('Cat', $_) } 1 .. 2);
is(errors(), 'cat1@cat1.example other_installation, cat2@cat2.example other_installation', 'what belongs to a lead and was made by another installation is shown');
is(value('second', q{SELECT string_agg(DISTINCT message || ' / ' || hint, ', ') FROM zcsync.errors WHERE source = 'route intake'}),
	q{what belongs to the record was made by another installation / SELECT * FROM zcsync.adopt_marks('halo');}, 'with what to do');
is(value('second', q{SELECT ok || ' ' || message || ' / ' || hint FROM zcsync.check_route('intake') WHERE item = 'other installation'}),
	q{true 2 of the newest records, or what belongs to them, was made by another installation and is left alone / SELECT * FROM zcsync.adopt_marks('halo');}, 'by check_route(), too');
my %there = there();
is(digest({ map { $_ => $there{$_} } grep { /^Cat|^Another/ } keys %there }), digest({ map { $_ => $cat->{$_} } grep { /^Cat|^Another/ } keys %$cat }), 'and left alone');
is(scalar(keys %there), 10, 'nothing is made beside it');
is(adoption(), join(', ', ('leave nothing with its identity is known here') x 3, 'adopt crm/leads/#', 'leave crm/leads/# the companies differ', 'leave nothing with its identity is known here'),
	'adopt_marks() shows what it would take over, by e-mail address and company');
is(value('second', q{SELECT count(*) FROM zcsync.links}), 3, 'and takes over nothing unasked');
like(adoption(', confirm => true'), qr/adopted crm/, 'confirmed it does');
work('second');
is(errors(), 'cat2@cat2.example other_installation', 'the route goes on with what was taken over');
is(value('second', q{SELECT string_agg(l.email, ', ') FROM zcsync.links k JOIN zcsync.leads l ON l.local_id = k.source_id JOIN zcsync.leads o ON o.local_id = k.target_id
	WHERE o.external_id = 'zcsync-' || k.key AND k.copy_id = o.local_id AND k.route_id IS NOT NULL AND l.email LIKE 'cat%'}), 'cat1@cat1.example', 'a pair under its old key');
value('second', q{UPDATE zcsync.leads SET city = 'Bath' WHERE email = 'cat1@cat1.example' AND account_id = zcsync.account('crm')});
work('second');
%there = there();
is(join(' ', map { $there{$_}{oppaddr2} || '-' } 'Cat 1', 'Another firm', 'Cat 3'), 'Bath - -', 'and changes of the lead go there');
is(value('second', q{SELECT count(*) FROM zcsync.alerts WHERE code = 'other_installation'}), 0, 'what is older is no alarm');

# ------------------------------------------------------------ both at work

$simulator->post('clock', { advance_seconds => 600 });
take('first', lead('Dan', 1));
value('second', q{SELECT zcsync.refresh('halo/leads')});
work('second');
is(value('second', q{SELECT count(*) || ' ' || min(object) || ' ' || min(severity) FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'other_installation'}), '1 halo critical', 'a newer one is: another installation writes to the account');
take('second', lead('Eve', 1));
value('second', q{UPDATE zcsync.leads SET city = 'Hull' WHERE email = 'bob1@bob1.example' AND account_id = zcsync.account('crm')});
work('second');
%there = there();
ok(!exists $there{'Eve 1'}, 'creates are held then');
is($there{'Bob 1'}{oppaddr2}, 'Hull', 'changes are not');
is(value('second', q{SELECT string_agg(state, ',') FROM zcsync.sync_queue WHERE operation = 'push'}), 'held', 'and wait');
is(value('second', q{SELECT zcsync.release_held('halo')}), 1, 'until somebody releases them');
work('second');
%there = there();
ok(exists $there{'Eve 1'}, 'and go then');
is(value('second', q{SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL AND code = 'other_installation'}), 0, 'the alert is over');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');

$node->stop;
done_testing();
