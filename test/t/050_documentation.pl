# The documentation names what exists, and all of it.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $top = dirname(__FILE__) . '/../..';
my $node = new_node('main');

$node->start;
setup_zcsync($node);

my %text = map { $_ => slurp_file($_) =~ s/\r//gr } "$top/README.md", glob "$top/doc/*.md";

# Differences of two lists, as text; '' if there are none.
sub differences
{
	my ($one, $two) = @_;
	my %one = map { $_ => 1 } @$one;
	my %two = map { $_ => 1 } @$two;

	return join '', (map { "only in the catalog: $_\n" } grep { !$two{$_} } sort keys %one),
	  (map { "only in the page: $_\n" } grep { !$one{$_} } sort keys %two);
}

# Lines "| `zcsync.name(arguments)` | ... |" and "| `zcsync.name` | ... |".
my @described = $text{"$top/doc/reference.md"} =~ /^\| `zcsync\.([^`]+)` \| \S/mg;
my @routines = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT format('%s(%s)', p.proname, array_to_string((p.proargnames)[1:p.pronargs], ', '))
FROM pg_proc p WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname !~ '^_'
SQL
cmp_ok(scalar @routines, '>', 40, 'there are functions');
is(differences(\@routines, [ grep { /\(/ } @described ]), '', 'doc/reference.md: functions and their arguments');

my @relations = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
SQL
cmp_ok(scalar @relations, '>', 25, 'there are tables');
is(differences(\@relations, [ grep { !/\(/ } @described ]), '', 'doc/reference.md: tables and views');

# Each column with its comment.  What is missing can be pasted from the message.
my @words = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT format('| `%s.%s` | %s |', c.relname, a.attname, replace(col_description(c.oid, a.attnum), '|', '\|'))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
SQL
cmp_ok(scalar @words, '>', 500, 'there are columns');
is(differences(\@words, [ $text{"$top/doc/columns.md"} =~ /^(\| `.*)$/mg ]), '', 'doc/columns.md: columns and their comments');

# Settings and their defaults.  "1min" and "60s" are the same.
my %setting = map { my ($name, @rest) = split /\|/, $_, -1; $name => \@rest } split /\n/, $node->safe_psql('postgres',
	"SELECT name, unit, boot_val FROM pg_settings WHERE name LIKE 'zcsync.%' AND name <> 'zcsync.clock_offset'");
for my $page ('doc/settings.md', 'README.md')
{
	my %default = $text{"$top/$page"} =~ /^\| `(zcsync\.[a-z_]+)` \| `?([^|`]*?)`? \|/mg;
	is(differences([ keys %setting ], [ keys %default ]), '', "$page: settings");
	for my $name (sort grep { $setting{$_} } keys %default)
	{
		my ($unit, $value) = @{ $setting{$name} };
		my $same = $unit =~ /^m?s$/ ? "'$default{$name}'::interval = '$value $unit'::interval"
		  : $unit =~ /B$/ ? "pg_size_bytes('$default{$name}') = pg_size_bytes('$value " . ($unit eq 'B' ? 'bytes' : $unit) . "')"
		  : "'" . ($default{$name} eq 'empty' ? '' : $default{$name}) . "' = '$value'";
		is($node->safe_psql('postgres', "SELECT $same"), 't', "$page: default of $name");
	}
}

# What is named elsewhere exists.
my %known = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT proname FROM pg_proc WHERE pronamespace = 'zcsync'::regnamespace
UNION SELECT relname FROM pg_class WHERE relnamespace = 'zcsync'::regnamespace
UNION SELECT substr(name, 8) FROM pg_settings WHERE name LIKE 'zcsync.%'
SQL
for my $page (sort keys %text)
{
	my $name = substr $page, length("$top/");
	my %unknown = map { $_ => 1 } grep { !$known{$_} } $text{$page} =~ /\bzcsync\.([a-z_]+)\b(?!\.)/g;
	delete @unknown{qw(key c h so control)};    # files
	is(join(' ', sort keys %unknown), '', "$name: names of zcsync");
	my %missing = map { $_ => 1 } grep { !-e "$top/$_" && !-e dirname($page) . "/$_" }
	  $text{$page} =~ /(?<![\w\/.])((?:doc|demo|test|src|sql)\/[\w.\/-]+\w)/g, $text{$page} =~ /\]\(([^)#:]+)\)/g;
	is(join(' ', sort keys %missing), '', "$name: files");
}

# The grants of doc/security.md can be run as they stand, and are enough.
my $grants = join '', $text{"$top/doc/security.md"} =~ /^    (GRANT [^;]+;)/mg;
my @roles = sort keys %{ { map { $_ => 1 } $grants =~ / TO (\w+);/g } };
is("@roles", 'marketing monitor reader searcher support', 'roles of doc/security.md');
$node->safe_psql('postgres', join '', map { "CREATE ROLE $_;" } @roles);
is(($node->psql('postgres', $grants, on_error_stop => 1))[0], 0, 'doc/security.md: the grants are right');
for my $role (@roles)
{
	my @views = split /\n/, $node->safe_psql('postgres', <<"SQL");
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('$role', c.oid, 'SELECT')
SQL
	cmp_ok(scalar @views, '>', 2, "$role may read something");
	is($node->safe_psql('postgres', <<"SQL"), '', "doc/security.md: $role may call what the indexes of tables call that it writes");
SELECT DISTINCT c.oid::regclass || ' ' || d.refobjid::regprocedure
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_proc'::regclass
WHERE c.relnamespace = 'zcsync'::regnamespace AND has_table_privilege('$role', c.oid, 'INSERT, UPDATE')
	AND NOT has_function_privilege('$role', d.refobjid, 'EXECUTE')
SQL
	is(($node->psql('postgres', "SET ROLE $role;" . join '', map { "SELECT * FROM $_;" } @views))[0], 0, "doc/security.md: $role can read it");
}

done_testing();
