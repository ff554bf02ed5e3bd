# Rules for the SQL of the install script that no server checks: what it says
# must not depend on the settings and the locale of who runs it.  Looks at the
# text only:
#
#	perl test/t/073_sql_style.pl

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Test::More;
use InstallScript;

# How many functions may have more than 80 lines, which may only fall, and how
# long half and nine tenths of all functions may be.
my $LONG_ALLOWED = 0;
my $MEDIAN_ALLOWED = 18;
my $P90_ALLOWED = 50;

# Handlers of errors that this script itself raises: a jump by another name.
my $JUMPS_ALLOWED = 0;

my @definitions = InstallScript::definitions();
my %script = map { $_ => InstallScript::read_file($_) } InstallScript::files();

# ---------------------------------------------------------------------
# Literals
# ---------------------------------------------------------------------

# A backslash in a literal means one thing or another as
# standard_conforming_strings is on or off, but for E'' literals.
sub backslashes
{
	my ($sql) = @_;
	my @found;

	$sql =~ s/^\\echo .*//;
	while ($sql =~ /\G(?:--[^\n]*|\/\*.*?\*\/|(?<tag>\$[a-z_]*\$)(?<inner>.*?)\k<tag>|(?<e>E?)'(?<literal>(?:[^'\\]|''|\\.)*)'|\w+|.)/gxs)
	{
		my ($inner, $literal, $e) = @+{qw(inner literal e)};

		push @found, backslashes($inner) if defined $inner;
		push @found, $literal if defined $literal && !$e && $literal =~ /\\/;
	}
	return @found;
}

is(join(' ', backslashes(q{SELECT '\d' -- '\c'
	|| E'\\\\w' || $$ it's $$; $f$ 'a\b'; '''' $f$})), '\d a\b', 'literals with a backslash are seen');
is(join("\n", map { my $file = $_; map { "$file: $_" } backslashes($script{$file}) } sort keys %script), '', 'no literal but E\'\' has a backslash');

# ---------------------------------------------------------------------
# Upper and lower case
# ---------------------------------------------------------------------

# Calls of lower() and its like, and regular expressions that do not mind the
# case, on whatever collation the database has.
sub folds
{
	my ($sql) = @_;
	my @found;

	$sql =~ s/--[^\n]*//g;
	while ($sql =~ /(?<![\w.])(?:lower|upper|initcap)(\((?:[^()]++|(?1))*\))/g)
	{
		push @found, $& =~ s/\s+/ /gr unless $1 =~ /COLLATE "C"\)$|^\(.*COLLATE "C".*\) COLLATE "default"\)$/;
	}
	push @found, "$1 $2" while $sql =~ /(\S+(?: COLLATE "C")?) (!?~\*|(?:NOT )?ILIKE)/g;
	push @found, $& while $sql =~ /\bregexp_\w+\([^;]*?, '[gnmsx]*i[gnmsx]*'\)/g;
	return grep { !/COLLATE "C" (?:!?~\*|(?:NOT )?ILIKE)$/ } @found;
}

is(join('; ', folds(q{SELECT lower(a), lower((b ->> 'c') COLLATE "C"), upper(lower(d COLLATE "C")), x.lower(e) -- lower(f)
	WHERE g ~* 'x' OR h COLLATE "C" ~* 'y' OR regexp_replace(i, 'k', '', 'gi') = ''})),
	q{lower(a); upper(lower(d COLLATE "C")); g ~*; regexp_replace(i, 'k', '', 'gi')}, 'what depends on the locale is seen');
is(join("\n", map { my $file = $_; map { "$file: $_" } folds($script{$file}) } sort keys %script), '',
	'case is folded with the collation "C", or by _fold()');

# ---------------------------------------------------------------------
# Comments and names
# ---------------------------------------------------------------------

my (%defined, %commented);
$defined{"$_->{kind} $_->{name}"}++ foreach @definitions;
foreach my $file (keys %script)
{
	$commented{"$1 $2"}++ while $script{$file} =~ /^COMMENT ON (FUNCTION|PROCEDURE|TYPE) zcsync\.(\w+)/mg;
}
is(join(' ', grep { $defined{$_} != ($commented{$_} // 0) } sort keys %defined), '', 'each function, procedure and type has a comment');

# Constraints and indexes of a script whose names the server would choose.
sub nameless
{
	my ($sql) = @_;
	my @found;

	$sql =~ s/--[^\n]*//g;
	$sql =~ s/'(?:[^']|'')*'/''/g;
	while ($sql =~ /\b(?:CREATE TABLE|ALTER TABLE) [^;]*/g)
	{
		my $statement = $&;

		while ($statement =~ /\b(?:PRIMARY KEY|UNIQUE|CHECK|EXCLUDE|FOREIGN KEY|REFERENCES)\b/g)
		{
			my ($before, $what) = (substr($statement, 0, $-[0]), $&);

			push @found, $what unless $before =~ /\bCONSTRAINT \w+\s+$/ || ($what eq 'REFERENCES' && $before =~ /\bFOREIGN KEY \([^()]*\)\s+$/);
		}
	}
	push @found, $& while $sql =~ /\bCREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?ON\b/g;
	return @found;
}

is(join(', ', nameless(q{CREATE TABLE a (b int PRIMARY KEY, c int CONSTRAINT d UNIQUE, e int REFERENCES f,
	CONSTRAINT g FOREIGN KEY (c) REFERENCES h, CONSTRAINT i CHECK (c <> 'CHECK')); CREATE INDEX ON a (b); CREATE UNIQUE INDEX j ON a (c)})),
	'PRIMARY KEY, REFERENCES, CREATE INDEX ON', 'names that the server chooses are seen');
is(join("\n", map { my $file = $_; map { "$file: $_" } nameless($script{$file}) } sort keys %script), '', 'constraints and indexes have explicit names');

# ---------------------------------------------------------------------
# Errors are no jumps
# ---------------------------------------------------------------------

my @jumps = map { my $file = $_; map { "$file: $_" } $script{$file} =~ /\b(EXCEPTION WHEN SQLSTATE 'ZC\w+'|PG_EXCEPTION_DETAIL|WHEN SQLSTATE 'ZC\w+')/g } sort keys %script;
note(join "\n", @jumps);
cmp_ok(scalar @jumps, '<=', $JUMPS_ALLOWED, 'errors that are raised in order to be caught do not become more') or diag(map { "    $_\n" } @jumps);
diag('lower the number of such errors in this test to ' . @jumps) if @jumps < $JUMPS_ALLOWED;

# ---------------------------------------------------------------------
# Lengths
# ---------------------------------------------------------------------

my @lengths = sort { $b->[0] <=> $a->[0] } map { [ 1 + ($_->{text} =~ tr/\n//), "$_->{file} $_->{name}" ] } grep { $_->{kind} ne 'TYPE' } @definitions;
my @long = grep { $_->[0] > 80 } @lengths;
note(map { "$_->[0] lines: $_->[1]\n" } @long);
cmp_ok(scalar @long, '<=', $LONG_ALLOWED, 'functions of more than 80 lines do not become more') or diag(map { "    $_->[0] lines: $_->[1]\n" } @long);
diag('lower the number of long functions in this test to ' . @long) if @long < $LONG_ALLOWED;
cmp_ok($lengths[ @lengths / 2 ][0], '<=', $MEDIAN_ALLOWED, 'half of the functions are short');
cmp_ok($lengths[ @lengths / 10 ][0], '<=', $P90_ALLOWED, 'and only a tenth is long');

done_testing();
