# Sessions may have any settings, and a database any locale: the same work, done
# in an ordinary database and in one where all of this is odd, gives the same.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nautovacuum = off");
$node->start;

# ------------------------------------------------------------ the databases

# Turkish has an i with and one without a dot: the small letter of I is not the
# i of ASCII there.
$node->safe_psql('postgres', q{CREATE DATABASE plain});
$node->safe_psql('postgres', q{CREATE DATABASE odd TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr' ENCODING 'UTF8'});
isnt($node->safe_psql('odd', q{SELECT lower('INFO')}), 'info', 'the odd database is Turkish');

# Names that lie in wait on the path, no schema public, and unusual settings.
$node->safe_psql('odd', <<'SQL');
CREATE SCHEMA "odd ""Schema";
SET search_path = "odd ""Schema";
CREATE FUNCTION caught() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a name was looked up on the path'; END $$;
CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS $$ SELECT "odd ""Schema".caught() $$;
CREATE FUNCTION format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT "odd ""Schema".caught() $$;
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT "odd ""Schema".caught()::timestamptz $$;
CREATE FUNCTION glue(text, text) RETURNS text LANGUAGE sql AS $$ SELECT "odd ""Schema".caught() $$;
CREATE OPERATOR || (LEFTARG = text, RIGHTARG = text, FUNCTION = glue);
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT "odd ""Schema".caught()::boolean $$;
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
CREATE TABLE tickets (a integer);
CREATE TABLE accounts (a integer);
CREATE TABLE routes (a integer);
DROP SCHEMA public;
ALTER DATABASE odd SET search_path = "odd ""Schema", pg_catalog;
ALTER DATABASE odd SET standard_conforming_strings = off;
ALTER DATABASE odd SET quote_all_identifiers = on;
ALTER DATABASE odd SET datestyle = 'SQL, DMY';
ALTER DATABASE odd SET intervalstyle = 'sql_standard';
ALTER DATABASE odd SET timezone = 'Asia/Kathmandu';
ALTER DATABASE odd SET bytea_output = 'escape';
ALTER DATABASE odd SET backslash_quote = off;
ALTER DATABASE odd SET default_transaction_isolation = 'repeatable read';
SQL
is($node->safe_psql('odd', q{SELECT '\\\\' OPERATOR(pg_catalog.=) '\\\\\\\\'}), 'f', 'and has odd settings')
  or diag($node->safe_psql('odd', 'SHOW standard_conforming_strings'));

my @databases = qw(plain odd);
my %simulator = map { $_ => start_simulator('--tickets', 30, '--tasks', 5, '--halopsa-tickets', 12, '--halopsa-leads', 5,
		'--zendesk-plan', 'none', '--clickup-plan', 'none', '--halopsa-plan', 'none') } @databases;
$simulator{$_}->post('holdback', { seconds => -1 }) foreach @databases;	# shown at once

# What a query returns in a database, and its notices; or its error.  The queries
# name operators in full: in the odd database others come first on the path.
sub answer
{
	my ($database, $query) = @_;
	my $url = $simulator{$database}->zendesk =~ s{/zendesk/.*}{}r;

	$query =~ s/:url/$url/g;
	my ($status, $out, $error) = $node->psql($database, $query, on_error_stop => 1, extra_params => [ '-v', 'VERBOSITY=terse' ]);
	return $status == 0 ? ($out, $error) : ("error: $error", '');
}

# Run the query in both databases: they must answer the same.  One that begins
# with "rows:" is answered as JSON, which no setting changes.
sub both
{
	my ($query, $what) = @_;

	$query = "SELECT pg_catalog.to_jsonb(q) FROM ($query) AS q" if $query =~ s/^rows:\s*//;
	my ($plain, $plain_notice) = answer('plain', $query);
	my ($odd, $odd_notice) = answer('odd', $query);
	foreach ($plain, $odd)
	{
		s{127\.0\.0\.1:\d+}{simulator}g;
	}
	ok($odd eq $plain, $what) or diag(differences($plain, $odd));
	unlike($plain, qr/^error: /, "$what: no error") unless $what =~ /^refused/;
	unlike($odd_notice, qr/nonstandard use of escape/, "$what: no literal is read in another way");
	return $plain;
}

# The lines that only one of two texts has.
sub differences
{
	my ($plain, $odd) = @_;
	my %in;

	$in{$_} .= 'p' foreach split /\n/, $plain;
	$in{$_} .= 'o' foreach split /\n/, $odd;
	return join '', map { ($in{$_} =~ /o/ ? '  odd: ' : 'plain: ') . substr($_, 0, 400) . "\n" }
	  splice @{ [ sort grep { $in{$_} =~ /^(?:p+|o+)$/ } keys %in ] }, 0, 12;
}

# Work until nothing is left to be done.
sub work
{
	foreach my $database (@databases)
	{
		$node->safe_psql($database, q{SELECT zcsync.refresh(s) FROM pg_catalog.unnest('{acme/tickets,dev/tasks,halo/tickets,halo/leads}'::pg_catalog.text[]) AS s}) if $_[0];
		my $rounds = 150;
		while (1)
		{
			run_worker($node, $database, '20 s');
			last if $node->safe_psql($database, q{SELECT pg_catalog.concat((SELECT pg_catalog.count(*) FROM zcsync.sync_queue WHERE state OPERATOR(pg_catalog.<>) 'held'),
				(SELECT pg_catalog.count(*) FROM zcsync.streams WHERE history_state OPERATOR(pg_catalog.=) 'running' OR last_pull_at IS NULL AND NOT account_id OPERATOR(pg_catalog.=) zcsync.account('crm')))}) eq '00';
			die "$database does not come to rest" if --$rounds == 0;
			usleep(200_000);
		}
	}
	return;
}

# ------------------------------------------------------------ setting up

both('CREATE EXTENSION zcsync', 'the extension');
both(q{rows: SELECT item, action, detail FROM zcsync.setup() WHERE item OPERATOR(pg_catalog.<>) 'role'}, 'its tables');
both('rows: SELECT item, action, detail FROM zcsync.setup()', 'and again');
both('rows: SELECT item, ok FROM zcsync.selfcheck()', 'selfcheck()');

both(q{SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "plan": "enterprise_plus", "high_volume": true, "base_url": ":url/zendesk/acme",
	"budgets": {"api": {"calls": 1000000, "concurrency": 20}, "export": {"calls": 1000000, "concurrency": 20}, "write": {"calls": 1000000, "concurrency": 20}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, 'an account of Zendesk');
both(q{SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001001", "plan": "enterprise", "base_url": ":url/clickup", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}', '{"token": "pk_183_DEV"}')},
	'of ClickUp');
both(q{SELECT zcsync.add_account('halo', 'halopsa', '{"base_url": ":url/halopsa/acme", "budgets": {"api": {"calls": 1000000, "concurrency": 20}}}', '{"client_id": "client-acme", "client_secret": "secret-acme"}')}, 'of HaloPSA');
both(q{SELECT zcsync.add_account('crm', 'local', '{"country": "US"}')}, 'and of no vendor');
both(q{SELECT zcsync.add_account('INFO', 'zendesk', '{"subdomain": "acme"}')}, 'refused: a name that is none');
both(q{rows: SELECT item, ok FROM zcsync.check_account('}. $_ . q{')}, "check_account('$_')") foreach qw(acme dev halo);
both(q{rows: SELECT kind, id, path FROM zcsync.discover('dev')}, q{discover('dev')});

both(qq{rows: SELECT x.item, x.value FROM zcsync.add_stream('$_->[0]', '$_->[1]', since => '2000-01-01') AS x WHERE x.item OPERATOR(pg_catalog.<>) 'history'}, "stream $_->[0]/$_->[1]")
  foreach [qw(acme tickets)], [qw(dev tasks)], [qw(halo tickets)], [qw(halo leads)], [qw(halo companies)], [qw(halo contacts)], [qw(acme contacts)];
both(qq{rows: SELECT x.item, x.value FROM zcsync.add_stream('$_->[0]', '$_->[1]') AS x}, "stream $_->[0]/$_->[1]")
  foreach (map { my $account = $_; map { [ $account, $_ ] } qw(fields statuses) } qw(acme dev halo)), [qw(dev contacts)];
both(qq{rows: SELECT x.item, x.value FROM zcsync.alter_stream('$_', writes => true) AS x WHERE x.item OPERATOR(pg_catalog.<>) 'history'}, "$_ may be written")
  foreach qw(acme/tickets dev/tasks halo/tickets halo/leads);
work();
foreach my $kind (qw(tickets tasks leads contacts companies fields statuses))
{
	cmp_ok(both("SELECT pg_catalog.count(*) FROM zcsync.$kind", "as many $kind"), '>', 0, "there are $kind");
}
both(q{rows: SELECT remote_id, subject, status, priority, type, tags, custom_fields, sync_state FROM zcsync.tickets ORDER BY account_id, remote_id}, 'the same tickets');
both(q{rows: SELECT remote_id, name, status, priority, assignees, tags, custom_fields, sync_state FROM zcsync.tasks ORDER BY account_id, remote_id}, 'the same tasks');

# ------------------------------------------------------------ leads

my $leads = q{'[{"id": "i1", "first_name": "ILHAN", "last_name": "INCI", "title": "CHIEF INFORMATION OFFICER", "email": "INFO@ISTANBUL-IT.EXAMPLE",
	"organization_name": "Istanbul IT LIMITED", "phone": "+1 (415) 555-0132 EXT 7", "country": "INDIA", "created_at": "2026-03-04T05:06:07Z"},
	{"id": "i2", "first_name": "Ann", "last_name": "Irving", "title": "Vice President IT", "email": "ann@india.example", "organization_name": "INDIA INC.",
	"estimated_num_employees": "1,200", "phone": "415.555.0133", "country": "IE"}]'};
both(qq{rows: SELECT ok, result, error FROM zcsync.sync_leads('apollo', $leads, 'crm')}, 'leads are taken');
both(qq{rows: SELECT ok, result, error FROM zcsync.sync_leads('zoominfo', '[{"id": "z1", "firstName": "Ilhan", "lastName": "Inci", "email": "info\@istanbul-it.example",
	"companyName": "istanbul it ltd", "jobTitle": "Chief Information Officer"}]', 'crm')}, 'and found again in other letters');
both(q{rows: SELECT first_name, last_name, email, company, phone, country, title, employees, quality, stage, custom_fields
	FROM zcsync.leads WHERE account_id OPERATOR(pg_catalog.=) zcsync.account('crm') ORDER BY local_id}, 'the same leads');
both(q{rows: SELECT item, value FROM zcsync.create_intake('crm', 'apollo', 'First Name,Last Name,Title,Company,Email,INDUSTRY,# Employees,ID') WHERE item OPERATOR(pg_catalog.<>) 'fill'}, 'an intake for a file');
both(q{INSERT INTO zcsync_intake.apollo_1 (first_name, last_name, title, company, email, industry, employees, id) VALUES
	('Ivy', 'Ito', 'IT Director', 'INITECH INC', 'IVY@INITECH.EXAMPLE', 'INFORMATION TECHNOLOGY', '50', 'x1'), ('ILHAN', 'INCI', 'CIO', '', 'Info@Istanbul-IT.example', '', '7', 'x2')},
	'is filled');
both(q{rows: SELECT * FROM zcsync.import_leads('apollo_1')}, 'and read');
both(q{rows: SELECT email, company, industry, employees, title FROM zcsync.leads WHERE account_id OPERATOR(pg_catalog.=) zcsync.account('crm') ORDER BY local_id}, 'with the same leads');
is($node->safe_psql('odd', q{SELECT pg_catalog.count(*) FROM zcsync.leads WHERE account_id OPERATOR(pg_catalog.=) zcsync.account('crm')}), 3, 'one for each person');

# ------------------------------------------------------------ routes

both(<<'SQL', 'a route with maps');
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', direction => 'both',
	filter => $$tags @> '{bug}'$$,
	create_in => $$CASE WHEN priority IN ('urgent', 'high') THEN 'ENGINEERING/Product/BUGS' ELSE 'Engineering/Product/REQUESTS' END$$,
	default_assignee => 'LENA@workspace.example');
SELECT zcsync.map_field('bugs', 'name', $$lower(left(subject, 1) COLLATE "C") || subject || E' \\ ' || to_char(created_at, 'YYYY-MM-DD') || ' ' || '\d'$$);
SELECT zcsync.map_value('bugs', 'status', s, t)
FROM (VALUES ('open', 'IN PROGRESS'), ('pending', 'in review'), ('hold', 'IN REVIEW')) AS v (s, t);
SELECT zcsync.map_value('bugs', 'status', 'in review', 'pending', back => true);
SQL
both(q{rows: SELECT * FROM zcsync.check_route('bugs')}, q{check_route('bugs')});
both(q{rows: SELECT op, field, old, new FROM zcsync.plan('bugs') ORDER BY op, field, old COLLATE "C", new COLLATE "C"}, 'its plan');
both(q{SELECT zcsync.resume_route('bugs')}, 'it starts');
both(q{rows: SELECT item, value FROM zcsync.backfill_route('bugs', confirm => true)}, 'with what is there');
both(q{SELECT zcsync.add_route('deals', source => 'crm/leads', target => 'halo/leads', ticket_type => 'OPPORTUNITY')}, 'a route for leads');
both(q{rows: SELECT * FROM zcsync.check_route('deals')}, q{check_route('deals')});
both(q{SELECT zcsync.resume_route('deals')}, 'it starts');
both(q{rows: SELECT item, value FROM zcsync.backfill_route('deals', confirm => true)}, 'with what is there');
both(q{SELECT zcsync.add_route('help', source => 'acme/tickets', target => 'halo/tickets', ticket_type => 'INCIDENT', filter => $$NOT tags @> '{bug}'$$, direction => 'both')},
	'a route for tickets both ways');
both(q{rows: SELECT item, ok FROM zcsync.check_route('help')}, q{check_route('help')});
both(q{rows: SELECT op, field, old, new FROM zcsync.plan('help') ORDER BY op, field, old COLLATE "C", new COLLATE "C"}, 'its plan');
work(1);

sub compare
{
	my ($when) = @_;

	both(q{rows: SELECT name, description, status, priority, assignees, tags, custom_fields, sync_state FROM zcsync.tasks ORDER BY name COLLATE "C", status}, "tasks $when");
	both(q{rows: SELECT subject, status, priority, tags, custom_fields, sync_state FROM zcsync.tickets ORDER BY subject COLLATE "C", account_id, remote_id}, "tickets $when");
	both(q{rows: SELECT first_name, last_name, email, company, stage, sync_state FROM zcsync.leads ORDER BY email COLLATE "C", first_name, account_id}, "leads $when");
	both(q{rows: SELECT r.name, l.state, pg_catalog.count(*) FROM zcsync.links AS l LEFT JOIN zcsync.routes AS r USING (route_id) GROUP BY r.name, l.state ORDER BY r.name, l.state}, "pairs $when");
	both(q{rows: SELECT operation, kind, message FROM zcsync.dead_letters ORDER BY operation, kind, message}, "nothing has failed $when");
	both(q{rows: SELECT code, message, detail FROM zcsync.route_errors ORDER BY code, message}, "errors of routes $when");
	both(q{rows: SELECT code, object, severity, message FROM zcsync.alerts ORDER BY code, object}, "alerts $when");
	return;
}
compare('after the backfill');
cmp_ok($node->safe_psql('odd', 'SELECT count(*) FROM zcsync.links'), '>', 10, 'pairs were made');

# ------------------------------------------------------------ edits

foreach my $database (@databases)
{
	$simulator{$database}->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => "Edited I \\ $_", tags => [ 'bug', "I'$_" ], status => 'pending' } } } 5 .. 9 ]);
}
both(q{SET standard_conforming_strings = on; UPDATE zcsync.tickets SET subject = pg_catalog.concat('Mine: \ I ', remote_id), priority = 'urgent', tags = pg_catalog.array_append(tags, 'IVI''\\')
	WHERE remote_id OPERATOR(pg_catalog.=) ANY ('{12,13,14}') AND account_id OPERATOR(pg_catalog.=) zcsync.account('acme')}, 'edits of tickets');
both(q{UPDATE zcsync.tasks SET status = 'IN REVIEW', due_at = '2026-05-06T07:08:09Z'
	WHERE local_id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT l.target_id FROM zcsync.links AS l JOIN zcsync.tickets AS t ON t.local_id OPERATOR(pg_catalog.=) l.source_id
		WHERE l.target_kind OPERATOR(pg_catalog.=) 'tasks' AND t.remote_id OPERATOR(pg_catalog.=) ANY ('{1,2,3,4,5,6,7,8,9,10,11,12,13}')))}, 'and of tasks');
work(1);
work(1);
compare('after edits on both sides');
both(q{rows: SELECT action, field_name, old, new, role FROM zcsync.history('acme/tickets/12') ORDER BY at, field_name}, 'history()');

# ------------------------------------------------------------ reading

foreach my $view (split /\n/, $node->safe_psql('plain', q{SELECT relname FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace AND relkind = 'v' ORDER BY relname}))
{
	next if $view =~ /^slow_queries$/;
	# what is counted since the server started has more lines in the one or the other
	my $what = $view =~ /^stat_(?:calls|metrics|operations)$/ ? 'pg_catalog.count(*) OPERATOR(pg_catalog.>) 0' : 'pg_catalog.count(*)';

	both("SELECT $what FROM zcsync.$view", "view $view");
}
both(q{rows: SELECT account, state, why FROM zcsync.status ORDER BY account COLLATE "C"}, 'status');
foreach my $page ("tickets_page(page_size => 7)", "tasks_page(page_size => 7)", "leads_page(page_size => 7)", "tickets_page(page_size => 3, sort_by => 'updated_at', sort_order => 'ASC')")
{
	both("rows: SELECT reference FROM zcsync.$page ORDER BY reference COLLATE \"C\"", $page);
	my %next = map { $_ => $node->safe_psql($_, "SELECT next_cursor FROM zcsync.$page OFFSET 2 LIMIT 1") } @databases;
	is_deeply([ map { $node->safe_psql($_, "SELECT reference FROM zcsync." . ($page =~ s/\(/(cursor => '$next{$_}', /r)) } 'odd' ],
		[ map { $node->safe_psql($_, "SELECT reference FROM zcsync." . ($page =~ s/\(/(cursor => '$next{$_}', /r)) } 'plain' ], "$page goes on");
}
both(q{rows: SELECT reference, status, tags FROM zcsync.tickets_report('2000-01-01', '2100-01-01') ORDER BY reference COLLATE "C"}, 'tickets_report()');
both(q{rows: SELECT company, leads, opportunities FROM zcsync.top_companies() ORDER BY company COLLATE "C"}, 'top_companies()');

# ------------------------------------------------------------ looking after it

both('CALL zcsync.maintain()', 'maintain()');
both('SELECT zcsync.create_partitions()', 'create_partitions()');
both('rows: SELECT item, ok FROM zcsync.selfcheck()', 'selfcheck() at the end');
both(q{rows: SELECT item, action FROM zcsync.setup()}, 'setup() at the end');
both(q{SELECT zcsync.remove_route('bugs')}, 'remove_route()');
both(q{SELECT zcsync.remove_account(a, force => true) FROM pg_catalog.unnest('{acme,dev,halo,crm}'::pg_catalog.text[]) AS a}, 'remove_account()');

$node->stop;
done_testing();
