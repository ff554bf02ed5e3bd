# 20,000 rows of files as leads: within a minute, visibly, and only once.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use POSIX ();
use Time::HiRes qw(time);
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $files = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('main', conf => "zcsync.databases = ''");

$node->start;
setup_zcsync($node, 'postgres');
sub value { return $node->safe_psql('postgres', $_[0]) }
value(q{SELECT zcsync.add_account('crm', 'local')});
system_or_bail($^X, dirname(__FILE__) . '/../simulator/leads.pl', '--rows', 20000, '--out', $files);

# A table for a file, filled by the command that create_intake() gives.
sub intake
{
	my ($source) = @_;
	my ($header) = split /\r?\n/, slurp_file("$files/$source.csv"), 2;
	my %said;

	for (split /\n/, value("SELECT item || '=' || value FROM zcsync.create_intake('crm', '$source', header => \$header\$$header\$header\$)"))
	{
		my ($item, $value) = split /=/, $_, 2;
		push @{ $said{$item} }, $value;
	}
	$said{fill}[0] =~ s/'file\.csv'/'$files\/$source.csv'/;
	$node->safe_psql('postgres', $said{fill}[0]);
	return ($said{intake}[0], $said{unmapped} // []);
}

my ($apollo, $apollo_unmapped) = intake('apollo');
my ($zoominfo, $zoominfo_unmapped) = intake('zoominfo');
is_deeply($apollo_unmapped, [ 'Seniority', 'Stage', 'Lists' ], 'what an export of Apollo has that leads have not');
is_deeply($zoominfo_unmapped, [ 'Middle Name', 'Management Level' ], 'and one of ZoomInfo');
my $rows = value("SELECT (SELECT count(*) FROM zcsync_intake.$apollo) + (SELECT count(*) FROM zcsync_intake.$zoominfo)");
is($rows, 20000, '\copy filled the tables');

# Seconds that a server process has worked for; where that cannot be told, those
# that have passed.  What else this machine does is none of our business.
my $begun = time;
sub worked
{
	my ($pid) = @_;
	my @stat = -e "/proc/$pid/stat" ? split / /, slurp_file("/proc/$pid/stat") =~ s/^.*\) //r : ();

	return @stat ? ($stat[11] + $stat[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK()) : time - $begun;
}

# ---------------------------------------------------------------------
my $import = $node->background_psql('postgres', on_error_die => 1);
$import->query_until(qr/begun/, "\\echo begun\nCREATE TABLE answers AS SELECT 'apollo' AS file, * FROM zcsync.import_leads('$apollo');\n");
wait_until($node, 'postgres', "SELECT count(*) > 0 FROM zcsync.progress WHERE object = '$apollo' AND lane = 'import' AND done > 0 AND done < estimate", 'an import can be watched');
my ($rc, $out, $err) = $node->psql('postgres', "SELECT * FROM zcsync.import_leads('$apollo')");
like($err, qr/ERROR:  intake "$apollo" is being imported by another session/, 'and not be begun twice');
$import->query_safe("INSERT INTO answers SELECT 'zoominfo', * FROM zcsync.import_leads('$zoominfo')");
my $seconds = worked($import->query_safe('SELECT pg_backend_pid()'));
$import->quit;
cmp_ok($seconds, '<', 60, sprintf '20,000 rows are imported within a minute: %.0f s', $seconds);
is(value('SELECT count(*) FROM zcsync.progress'), 0, 'nothing is left of it in progress');

is(value('SELECT count(*), count(DISTINCT (file, file_row)) FROM answers'), '20000|20000', 'there is an answer for each row of the files');
is(value("SELECT count(*) FROM answers WHERE result = 'rejected' OR NOT ok OR lead IS NULL"), 0, 'none was rejected');
is(value("SELECT count(*) FROM answers WHERE result IN ('created', 'flagged')"), value('SELECT count(*) FROM zcsync.leads'), 'leads are those that were created or flagged');
is(value('SELECT count(*) FROM (SELECT email FROM zcsync.leads WHERE deleted_at IS NULL AND email IS NOT NULL GROUP BY zcsync._email_key(email), email HAVING count(*) > 1) AS d'), 0, 'no e-mail is there twice');

# ---------------------------------------------------------------------
# The same files again
# ---------------------------------------------------------------------
my $written = q{SELECT (SELECT md5(string_agg(l.local_id || l.ctid::text || l.xmin, ',' ORDER BY l.local_id)) FROM zcsync.leads l),
	(SELECT count(*) FROM zcsync.changes), (SELECT count(*) FROM zcsync.sync_queue), (SELECT md5(string_agg(i.value || i.xmin, ',' ORDER BY i.kind, i.value)) FROM zcsync.lead_identities i),
	(SELECT md5(string_agg(r.row_id::text || r.xmin, ',' ORDER BY r.row_id)) FROM zcsync.lead_rows r)};
my $before = value($written);
is(value("SELECT string_agg(result || ' ' || leads, ', ') FROM zcsync.plan_import('$apollo') WHERE leads > 0 AND result IN ('created', 'merged', 'flagged', 'unchanged', 'rejected', 'skipped')"),
	'unchanged ' . value("SELECT count(*) FROM zcsync_intake.$apollo"), 'the plan of the same file again');
($apollo) = intake('apollo');
($zoominfo) = intake('zoominfo');
is(value("SELECT DISTINCT result FROM zcsync.import_leads('$apollo')"), 'unchanged', 'Apollo again: all unchanged');
is(value("SELECT DISTINCT result FROM zcsync.import_leads('$zoominfo')"), 'unchanged', 'ZoomInfo again: all unchanged');
is(value($written), $before, 'and nothing was written');

# ---------------------------------------------------------------------
# Two imports of the same people in opposite orders
# ---------------------------------------------------------------------
my @both;
for my $order ('n', '-n')
{
	my $name = value(q{SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'Name,Email') WHERE item = 'intake'});

	value("INSERT INTO zcsync_intake.$name (name, email) SELECT 'N ' || md5(n::text), n || '\@both.com' FROM generate_series(1, 3000) AS n ORDER BY $order");
	push @both, $name;
}
my $first = $node->background_psql('postgres', on_error_die => 1);
$first->query_until(qr/begun/, "\\echo begun\nSELECT count(*) FROM zcsync.import_leads('$both[0]');\n");
is(value("SELECT count(*) FROM zcsync.import_leads('$both[1]') WHERE ok"), 3000, 'two imports at once do not block each other for ever');
$first->query_safe('SELECT 1');
$first->quit;
is(value(q{SELECT count(*), count(DISTINCT email) FROM zcsync.leads WHERE email LIKE '%@both.com'}), '3000|3000', 'and make each lead once');

# ---------------------------------------------------------------------
# A file as people make it: lines in Windows-1252 and in UTF-8, line ends of
# Windows, empty lines
# ---------------------------------------------------------------------
append_to_file("$files/by hand.csv", join "\r\n", 'Name,Email,Company', "Ann Lee,ann\@hand.com,\xe2\x80\x9c\xc5\x81ukasz\xe2\x80\x9d \xc3\x81g \xc4\x8d", '',
	"Bob Ray,bob\@hand.com,5 \x80 f\xfcr \x93M\xfcller\x94", '  ', 'Cy Orr,cy@hand.com,"Orr', '', 'Ltd"', '', '');
my ($name, $fill) = split /\n/, value(q{SELECT value FROM zcsync.create_intake('crm', 'csv', header => 'Name,Email,Company') WHERE item IN ('intake', 'fill')});
my ($program) = slurp_file(dirname(__FILE__) . '/../../doc/leads.md') =~ /(FROM PROGRAM '.*?')/;
$fill =~ s/FROM 'file\.csv'/$program/;
$fill =~ s/file\.csv/$files\/by hand.csv/;
value("\\encoding LATIN1\n$fill");
value("SELECT FROM zcsync.import_leads('$name')");
is(value(q{SELECT string_agg(email || ' ' || regexp_replace(company, '[[:space:]]+', ' ', 'g'), ', ' ORDER BY email) FROM zcsync.leads WHERE email LIKE '%@hand.com'}),
	"ann\@hand.com \xe2\x80\x9c\xc5\x81ukasz\xe2\x80\x9d \xc3\x81g \xc4\x8d, bob\@hand.com 5 \xe2\x82\xac f\xc3\xbcr \xe2\x80\x9cM\xc3\xbcller\xe2\x80\x9d, cy\@hand.com Orr Ltd",
	'each text as it was meant, whatever its encoding, and no line is missing');

$node->stop;
done_testing();
