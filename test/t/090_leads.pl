# The lead pipeline from end to end: exports of Apollo and ZoomInfo with one row
# in four a duplicate go in, and each person is one opportunity at HaloPSA, in a
# number of calls that its limits allow, although one call in fifty is applied
# without an answer.  ZCSYNC_TEST_LEADS says how many rows.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $rows = $ENV{ZCSYNC_TEST_LEADS} // 4_000;
my $directory = PostgreSQL::Test::Utils::tempdir();
my $simulator = start_simulator('--tickets', 0, '--tasks', 0, '--halopsa-tickets', 0, '--halopsa-leads', 0, '--halopsa-plan', 'none', '--keep-requests', 20000);
my $node = new_node('main', conf => "log_statement = none\nzcsync.request_timeout = 30s\n");

$node->start;
setup_zcsync($node, 'postgres');
chmod 0755, $directory;
run_log([ $^X, "$FindBin::Bin/../simulator/leads.pl", '--rows', $rows, '--exact', 0.20, '--fuzzy', 0.05, '--out', $directory ]) or die 'no exports';

sub value { return $node->safe_psql('postgres', $_[0]); }
sub advance
{
	my ($seconds) = @_;
	our $offset += $seconds;

	$simulator->post('clock', { offset_seconds => $offset });
	value("ALTER SYSTEM SET zcsync.clock_offset = $offset");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('zcsync.clock_offset') = '$offset'") or die 'the clock does not move';
}
sub first_line { open my $fh, '<', $_[0] or die "$_[0]: $!"; my $line = <$fh>; chomp $line; return $line; }
sub quote { return "'" . $_[0] =~ s/'/''/gr . "'"; }
# The intake of a file, filled as psql's \copy does.
sub intake
{
	my ($source) = @_;
	my $file = "$directory/$source.csv";
	my %made = map { split /\|/, $_, 2 } split /\n/, value(sprintf q{SELECT item, value FROM zcsync.create_intake('crm', '%s', %s) WHERE item IN ('intake', 'fill')}, $source, quote(first_line($file)));

	value($made{fill} =~ s/'file\.csv'/'$file'/r);
	return $made{intake};
}
sub import_leads { return value(sprintf q{SELECT result, count(*) FROM zcsync.import_leads('%s') GROUP BY 1 ORDER BY 1}, $_[0]); }
sub opportunities { return @{ $simulator->get('state/halopsa/opportunities', limit => 1_000_000)->{opportunities} }; }
sub posts { return grep { $_->{method} eq 'POST' && $_->{path} =~ m{/api/Opportunities} } @{ $simulator->get('requests', vendor => 'halopsa', limit => 1_000_000)->{requests} }; }

# ------------------------------------------------------------- accounts

value(sprintf <<'SQL', $simulator->halopsa);
CREATE EXTENSION pg_trgm;
SELECT zcsync.setup();
SELECT zcsync.add_account('crm', 'local', settings => '{"country": "US"}');
SELECT zcsync.add_account('halo', 'halopsa', settings => '{"base_url": "%s", "budgets": {"api": {"calls": 100000, "concurrency": 5}}}',
	credentials => '{"client_id": "client-acme", "client_secret": "secret-acme"}');
SELECT zcsync.add_stream('halo', kind) FROM unnest('{fields,statuses,contacts,companies}'::text[]) AS kind;
SELECT zcsync.add_stream('halo', 'leads', since => '2000-01-01', pull_interval => '5 seconds', comments => 'none');
SELECT zcsync.alter_stream('halo/leads', writes => true);
SQL
wait_until($node, 'postgres', "SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams AS s JOIN zcsync.accounts AS a USING (account_id) WHERE a.vendor = 'halopsa'", 'the streams are read');
value(q{SELECT zcsync.add_route('leads-to-halo', source => 'crm/leads', target => 'halo/leads', ticket_type => 'Lead')});

# --------------------------------------------------------------- import

my %intake = map { $_ => intake($_) } qw(apollo zoominfo);
value(qq{CREATE TABLE truth (file text, row bigint, person text, expect text, kind text, other text);
	COPY truth FROM '$directory/truth.csv' (FORMAT csv, HEADER)});
is(value(q{SELECT count(*) FROM zcsync.leads}), 0, 'nothing is taken before it is asked for');
import_leads($intake{apollo});
import_leads($intake{zoominfo});

my $people = value('SELECT count(DISTINCT person) FROM truth');
my $leads = q{FROM zcsync.leads WHERE account_id = zcsync.account('crm') AND merged_into IS NULL AND deleted_at IS NULL};
is(value("SELECT count(*) $leads"), $people, 'each person is one lead');
value(sprintf q{CREATE TABLE taken AS
	SELECT 'apollo.csv' AS file, file_row, lead, result FROM zcsync.import_leads('%s')
	UNION ALL SELECT 'zoominfo.csv', file_row, lead, result FROM zcsync.import_leads('%s')}, @intake{qw(apollo zoominfo)});
is(value(q{SELECT count(*) FROM taken WHERE result <> 'unchanged'}), 0, 'the same files again change nothing');
is(value(q{SELECT count(*) FROM (SELECT t.person FROM truth t JOIN taken k ON (k.file, k.file_row) = (t.file, t.row)
	GROUP BY t.person HAVING count(DISTINCT k.lead) <> 1) x}), 0, 'all rows of a person are the same lead');
is(value(q{SELECT count(*) FROM (SELECT k.lead FROM truth t JOIN taken k ON (k.file, k.file_row) = (t.file, t.row)
	GROUP BY k.lead HAVING count(DISTINCT t.person) <> 1) x}), 0, 'and no lead is two people');
is(value(q{SELECT count(*) FROM truth t JOIN taken k ON (k.file, k.file_row) = (t.file, t.row)
	WHERE t.expect = 'flag' AND NOT EXISTS (SELECT FROM zcsync.lead_duplicates d
		WHERE d.state = 'open' AND split_part(k.lead, '#', 2)::bigint IN (d.lead_a, d.lead_b))}), 0, 'whom a person has to look at is flagged');
is(scalar(posts()), 0, 'nothing is sent before the route is resumed');

# ----------------------------------------------------------------- send

$simulator->post('faults', [
	{ vendor => 'halopsa', method => 'POST', path => '/api/Opportunities', fault => 'reset_after', skip => 3, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/api/Opportunities', fault => 'truncated_json', skip => 12, count => 1 },
	{ vendor => 'halopsa', method => 'POST', path => '/api/Opportunities', fault => 'reset_after', probability => 0.02, seed => 7, count => 0 } ]);
value(q{SELECT zcsync.resume_route('leads-to-halo')});
my $queued = value(q{SELECT value FROM zcsync.backfill_route('leads-to-halo', confirm => true) WHERE item = 'queued'});
is($queued, $people, 'the backfill is all of them');

# What is unclear waits for the request's time-out and 30 s before it is looked up.
my $waiting = q{SELECT count(*) FROM zcsync.sync_queue WHERE operation IN ('push', 'route')};
for my $round (1 .. 60)
{
	nothing_due($node, 'postgres', q{q.operation IN ('push', 'route')});
	last if value($waiting) == 0;
	advance(41);
}
is(value($waiting), 0, 'all is done');

# ---------------------------------------------------------- at the vendor

my @there = opportunities();
my $calls = posts();
is(scalar @there, $people, 'as many opportunities as people');
cmp_ok($calls, '<=', 120 * $rows / 10_000, "in $calls calls that write");
cmp_ok($calls, '>=', $people / 100, 'of at most 100 records');
my $lost = 0;
$lost += $_->{applied} for @{ $simulator->get('faults')->{faults} };
cmp_ok($lost, '>=', 2, "of which $lost were applied without an answer");
is($simulator->get('stats')->{duplicates}{halopsa}{marker}{duplicates} // 0, 0, 'nothing is there twice');
open my $fh, '>', "$directory/there.tsv" or die $!;
binmode $fh, ':utf8';
printf $fh "%s\t%s\t%s\n", map { $_ // '' } @$_{qw(id oppemailaddress oppcompanyname)} for @there;
close $fh;
value(qq{CREATE TABLE there (id text, email text, company text); COPY there FROM '$directory/there.tsv'});
is(value(qq{SELECT count(*) FROM (
	SELECT o.remote_id, coalesce(l.email, ''), coalesce(l.company, '')
	FROM (SELECT * $leads) AS l JOIN zcsync.links k ON k.source_id = l.local_id JOIN zcsync.leads o ON o.local_id = k.target_id
	EXCEPT SELECT * FROM there) x}), 0, 'each lead has its own, with its values');
is(value(q{SELECT count(*) FROM zcsync.leads WHERE sync_state <> 'synced'}), 0, 'all rows are in step');
is(value(q{SELECT count(*) FROM zcsync.dead_letters}) + value(q{SELECT count(*) FROM zcsync.errors}), 0, 'no errors')
	or diag(value('SELECT jsonb_agg(e) FROM zcsync.errors AS e'), value('SELECT jsonb_agg(d) FROM zcsync.dead_letters AS d'));

# ------------------------------------------------------------- afterwards

$simulator->no_faults;
my $before = posts();
import_leads($intake{$_}) for qw(apollo zoominfo);
value(q{SELECT zcsync.refresh('halo/leads')});
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation <> 'token')}, 'all is quiet');
is(scalar(posts()), $before, 'the same files a third time send nothing');
is(log_lines($node, 'FATAL|PANIC|ERROR|zcsync could not'), 0, 'no error in the log');
$node->stop;
done_testing();
