# Each piece of SQL in README.md and doc/ runs as it stands, in the order of its
# page: at servers of the simulated vendors, in place of names and numbers that
# are the reader's own.  The statements in its tables follow, each by itself and
# taken back.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use DocumentedSql;
use ZcsyncTest;

my $top = dirname(__FILE__) . '/../..';
my $simulator = start_simulator('--tickets', 60, '--tasks', 20, '--halopsa-tickets', 20, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $node = new_node('main', cron => 1, conf => "log_statement = none\nzcsync.databases = ''\ncron.database_name = 'mydb'\n");
my $directory = $node->basedir;

# What stands in the pages for the reader's own, and what it is here.
my %own = (
	'"subdomain": "acme"' => '"subdomain": "acme", "base_url": "' . $simulator->zendesk . '"',
	'"workspace_id": "9001001"' => '"workspace_id": "9001001", "base_url": "' . $simulator->clickup . '"',
	'"host": "acme.halopsa.com"' => '"host": "acme.halopsa.com", "base_url": "' . $simulator->halopsa . '"',
	'"client_id": "zcsync"' => '"client_id": "client-acme"',
	'"client_id": "4711"' => '"client_id": "client-acme"',
	'"client_id": "…"' => '"client_id": "client-acme"',
	'/etc/postgresql/zcsync' => "$directory/secrets",
	'/etc/postgresql/15/main' => $node->data_dir,
	"'apollo.csv'" => "'$directory/apollo.csv'",
	"'file.csv'" => "'$directory/apollo.csv'",
	"'changes_2025_02.csv'" => "'$directory/changes_2025_02.csv'",
	"'tickets.csv'" => "'$directory/tickets.csv'");

# Pages that are run, and where: in a copy of its own of the database
#	tables	extension and tables
#	full	accounts and streams that the pages speak of, read to their ends
#	routed	and the route
# A block that creates the extension does so in the database of pg_cron, anew;
# the pages without a database go on there.
my @pages = (
	[ 'README.md', 'tables' ], [ 'doc/install.md', 'mydb' ], [ 'doc/operations.md', 'full' ],
	[ 'doc/zendesk.md', 'tables' ], [ 'doc/clickup.md', 'tables' ], [ 'doc/halopsa.md', 'tables' ],
	[ 'doc/leads.md', 'tables' ], [ 'doc/routes.md', 'full' ], [ 'doc/pages.md', 'routed' ], [ 'doc/search.md', 'routed' ], [ 'doc/queue.md', 'routed' ], [ 'doc/cache.md', 'routed' ], [ 'doc/alerts.md', 'full' ], [ 'doc/report.md', 'full' ], [ 'doc/webhooks.md', 'full' ],
	[ 'doc/security.md', 'full' ], [ 'doc/moving-and-copying.md', 'routed' ], [ 'doc/ha.md', 'full' ], [ 'doc/removing.md', 'mydb' ]);

# Run by other tests.
my %elsewhere = ('doc/warehouse.md' => '097_warehouse.pl', 'doc/new-vendor.md' => '094_new_vendor.pl');

sub write_file
{
	my ($name, $content, $mode) = @_;
	open my $file, '>', "$directory/$name" or die "$name: $!";
	print $file $content;
	close $file or die "$name: $!";
	chmod $mode, "$directory/$name" or die "$name: $!";
	return;
}

sub value { return $node->safe_psql(@_) }

# Let zcsync work until there is nothing to do and histories are read.
sub work
{
	my ($database) = @_;
	my $unread = q{SELECT EXISTS (SELECT FROM zcsync.streams s JOIN zcsync.accounts a USING (account_id)
		WHERE a.vendor <> 'local' AND (s.history_state NOT IN ('none', 'done') OR s.last_pull_at IS NULL))};

	for (1 .. 60)
	{
		return if !run_once($database) || value($database, $unread) eq 'f';
		sleep 1;
	}
	fail("$database: histories are not read");
	return;
}

# Is zcsync here, and did it work?
sub run_once
{
	my ($database) = @_;

	return 0 if value($database, q{SELECT to_regclass('zcsync.accounts') IS NULL}) eq 't';
	my ($rc, undef, $stderr) = $node->psql($database, q{CALL zcsync.run('60 s')});
	return 0 if $stderr =~ /zcsync\.stop\(\) was called/;
	is($rc, 0, "$database: works until it is idle") or diag($stderr);
	return $rc == 0;
}

# What the pages have in place of the reader's own, replaced.
sub localised
{
	my ($sql, %more) = @_;
	my %all = (%own, %more);
	my $any = join '|', map { quotemeta } sort { length $b <=> length $a || $a cmp $b } keys %all;

	return $sql =~ s/($any)/$all{$1}/gr;
}

# ---------------------------------------------------------------------
# Databases
# ---------------------------------------------------------------------

mkdir "$directory/secrets", 0700 or die "secrets: $!";
write_file('secrets/zendesk_secret', 'secret-acme', 0600);
write_file('secrets/clickup_token', 'pk_183_DEV', 0600);
write_file('secrets/halopsa_secret', 'secret-acme', 0600);
write_file('apollo.csv', "First Name,Last Name,Company,Email,Phone\nAda,Lovelace,Example Ltd,ada\@example.com,+44 20 7946 0958\n", 0644);
$node->append_conf('postgresql.conf', "zcsync.credentials_directory = '$directory/secrets'\n");
$node->start;
value('postgres', 'CREATE DATABASE mydb; CREATE DATABASE tables');
value('mydb', 'CREATE EXTENSION pg_cron');
value('tables', 'CREATE EXTENSION zcsync; SELECT FROM zcsync.setup()');
value('postgres', 'CREATE DATABASE "full" TEMPLATE tables');
value('full', localised(<<'SQL'));
SELECT zcsync.adopt_database();
SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme"}',
	credentials => '{"client_id": "zcsync", "client_secret": "file:zendesk_secret", "scope": "read write"}');
SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "9001001"}', credentials => '{"token": "file:clickup_token"}');
SELECT zcsync.add_account('psa', 'halopsa', settings => '{"host": "acme.halopsa.com"}',
	credentials => '{"client_id": "4711", "client_secret": "file:halopsa_secret"}');
SELECT zcsync.add_account('crm', 'local', settings => '{"country": "GB"}');
SELECT FROM generate_series(1, 3) AS n CROSS JOIN LATERAL zcsync.sync_lead('manual',
	jsonb_build_object('first_name', 'Person', 'last_name', 'Number' || chr(64 + n), 'email', 'p' || n || '@example.com'));
SELECT FROM zcsync.discover('dev');
SELECT FROM zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
SELECT FROM zcsync.add_stream('acme', 'fields');
SELECT FROM zcsync.add_stream('dev', 'tasks', since => '2000-01-01');
SELECT FROM zcsync.add_stream('dev', 'statuses');
SELECT FROM zcsync.add_stream('dev', 'fields');
SELECT FROM unnest('{fields,statuses}'::text[]) AS kind CROSS JOIN LATERAL zcsync.add_stream('psa', kind);
SELECT FROM unnest('{tickets,leads}'::text[]) AS kind CROSS JOIN LATERAL zcsync.add_stream('psa', kind, since => '2000-01-01');
SELECT FROM unnest('{acme/tickets,dev/tasks,psa/tickets,psa/leads}'::text[]) AS s CROSS JOIN LATERAL zcsync.alter_stream(s, writes => true);
SQL
work('full');
value('postgres', 'CREATE DATABASE routed TEMPLATE "full"');
value('routed', <<'SQL');
SELECT zcsync.adopt_database();
SELECT zcsync.add_route('support-to-dev', source => 'acme/tickets', target => 'dev/tasks', filter => $$tags @> '{bug}'$$, create_in => 'Engineering/Product/Bugs');
SQL
value('postgres', join '', map { "CREATE ROLE $_;" } qw(app marketing monitor reader searcher support sync_operator));
$own{'custom:Severity'} = 'custom:' . value('full', q{SELECT split_part(min(remote_id), ':', 2) FROM zcsync.fields WHERE name = 'Stage'});
$own{"'$_'"} = "'" . value('full', q{SELECT min(list_id) FROM zcsync.tasks}) . "'" foreach qw(901 902 901234);

# What is known only where the page runs.
sub found_here
{
	my ($database) = @_;
	my %found;

	return () if value($database, q{SELECT to_regclass('zcsync.leads') IS NULL}) eq 't';
	my @leads = map { "crm/leads/#$_" } split /\n/, value($database, q{SELECT l.local_id FROM zcsync.leads l JOIN zcsync.accounts a USING (account_id)
		WHERE a.vendor = 'local' AND l.deleted_at IS NULL ORDER BY 1 LIMIT 3});
	@found{ ('crm/leads/#12', 'crm/leads/#40', 'crm/leads/#41')[ 0 .. $#leads ] } = @leads;
	my ($ticket, $task) = map { value($database, "SELECT min(remote_id) FROM zcsync.$_") } qw(tickets tasks);
	@found{ ("'9hx'", 'dev/tasks/9hx', "'35436'", 'acme/tickets/35436') } = ("'$task'", "dev/tasks/$task", "'$ticket'", "acme/tickets/$ticket");
	$found{'Twin Two'} = value($database, q{SELECT min(c.name) FROM zcsync.companies c JOIN zcsync.accounts a USING (account_id) WHERE a.name = 'psa'});
	# a job that waits, and the new task that it would send
	if ($database eq 'doc_queue_md')
	{
		my ($row, $job) = split /\|/, value($database, <<'SQL');
SELECT zcsync.pause_queue('task-sync') IS NULL AS paused \gset
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'Not to be sent', min(list_id) FROM zcsync.tasks;
INSERT INTO zcsync.tasks (account_id, name, list_id) SELECT zcsync.account('dev'), 'To be sent', min(list_id) FROM zcsync.tasks;
SELECT min(q.local_id), max(q.job_id) FROM zcsync.sync_queue q WHERE q.operation = 'push' AND q.kind = 'tasks';
SQL
		$found{'dev/tasks/#12'} = "dev/tasks/#$row";
		$found{815} = $job;
	}
	return %found;
}

# Blocks that are no SQL, by how they begin.
my $no_sql = qr/^(?:tickets at Zendesk|vendor ──|echo |door |limit_req_zone|\s*\w+ +\| |\(0\.3|\{"success"|ready |┌|$)/;

foreach my $entry (@pages)
{
	my ($page, $kind) = @$entry;
	my $own = $kind;
	my @blocks = blocks(slurp_file("$top/$page"));
	my $ran = 0;

	if ($kind ne 'mydb')
	{
		$own = lc $page =~ s/\W+/_/gr;
		value('postgres', "CREATE DATABASE $own TEMPLATE \"$kind\"");
		# nobody else wrote to the vendors, so routes need not wait until all was read anew
		value($own, 'SELECT zcsync.adopt_database(); UPDATE zcsync.streams SET reads_awaited = 0');
		# months that are archived
		value($own, q{SELECT zcsync._create_partition('changes', 'created_at', m) FROM unnest('{2025-01-01,2025-02-01}'::date[]) AS m}) if $page eq 'doc/operations.md';
	}
	foreach my $block (@blocks)
	{
		if ($block->{sql} eq '')
		{
			like($block->{text}, $no_sql, "$page:$block->{line}: is no SQL");
			next;
		}
		$ran++;
		my $database = $own;
		if ($block->{sql} =~ /CREATE EXTENSION zcsync/)
		{
			$database = 'mydb';
			value($database, 'SET client_min_messages = error; DROP EXTENSION IF EXISTS zcsync CASCADE');
		}
		my ($rc, undef, $stderr) = $node->psql($database, localised($block->{sql}, found_here($database)), on_error_die => 0, extra_params => [ '-v', 'ON_ERROR_STOP=1' ]);
		if ($block->{error} ne '')
		{
			my $expected = quotemeta($block->{error}) =~ s/\d+/\\d+/gr;
			isnt($rc, 0, "$page:$block->{line}: fails");
			like($stderr, qr/ERROR:\s+$expected/, "$page:$block->{line}: as it says");
			unlike($stderr, qr/CONTEXT:/, "$page:$block->{line}: without a stack of functions");
		}
		else
		{
			is($rc, 0, "$page:$block->{line}: runs") or diag($stderr);
		}
		# what only looks leaves nothing to do
		work($database) if $block->{sql} =~ /\b(?:add|adopt|apply|backfill|import|release|resume|retry|run|start|sync)_?|\b(?:INSERT|UPDATE)\b/;
	}
	cmp_ok($ran, '>', 0, "$page has SQL ($ran)");
	# what the tables of operations speak of, and no block makes
	value($own, q{SELECT FROM zcsync.add_alert_target('ops', 'notify', settings => '{"channel": "ops"}');
		SELECT FROM zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', create_in => 'Engineering/Product/Bugs')})
	  if $page eq 'doc/operations.md';
	run_statements($page, $own);
}

# Statements in tables: functions and columns are there, with arguments of these
# types, and each is run.  Those of pg_cron are only prepared, in its own database,
# and so is what ends a session; CALL can be neither prepared nor taken back.
sub run_statements
{
	my ($page, $own) = @_;
	my $text = slurp_file("$top/$page");

	foreach my $statement (statements($text))
	{
		my $of_cron = $statement->{sql} =~ /\bcron\./;
		my $prepared = $of_cron || $statement->{sql} =~ /pg_terminate_backend/;
		my $database = $of_cron ? 'mydb' : $own;
		my $sql = localised($statement->{sql}, found_here($own));
		my $run = $sql =~ /^CALL/ ? $sql : "BEGIN; PREPARE s AS $sql;" . ($prepared ? '' : ' EXECUTE s;') . ' ROLLBACK';
		my ($rc, undef, $stderr) = $node->psql($database, $run, on_error_die => 0, extra_params => [ '-v', 'ON_ERROR_STOP=1' ]);

		is($rc, 0, "$page:$statement->{line}: $statement->{sql}") or diag($stderr);
	}
	return;
}

# Every page with SQL is run, here or elsewhere.
foreach my $page ('README.md', map { s{^\Q$top\E/}{}r } sort glob "$top/doc/*.md")
{
	next if grep { $_->[0] eq $page } @pages;
	if ($elsewhere{$page})
	{
		like(slurp_file(dirname(__FILE__) . "/$elsewhere{$page}"), qr/\Q$page\E/, "$page is run by $elsewhere{$page}");
		next;
	}
	is(join(' ', map { $_->{line} } grep { $_->{sql} ne '' } blocks(slurp_file("$top/$page"))), '', "$page has no SQL");
}

$node->stop;
done_testing();
