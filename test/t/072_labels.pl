# The volatility and the parallel label of each function: given for all of them
# in the install script, and true, as far as what a function calls and does
# tells.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use InstallScript;
use ZcsyncTest;

# ---------------------------------------------------------------------
# They are given, also by what makes functions
# ---------------------------------------------------------------------

# The heads of functions in a script without both labels.
sub unlabelled
{
	my ($script) = @_;
	my @unlabelled;

	while ($script =~ /\bCREATE (?:OR REPLACE )?FUNCTION (zcsync[\w.%\$]*)\(.*?(\bRETURNS\b.*?(?:\bAS\b|\bBEGIN ATOMIC\b))/gs)
	{
		my ($name, $attributes) = ($1, $2);

		push @unlabelled, $name
		  unless $attributes =~ /\b(?:IMMUTABLE|STABLE|VOLATILE)\b/ && $attributes =~ /\bPARALLEL (?:SAFE|RESTRICTED|UNSAFE)\b/;
	}
	return @unlabelled;
}

is(join(' ', unlabelled(<<'SQL')), 'zcsync.a zcsync.b_%1$s', 'functions without labels are seen');
CREATE FUNCTION zcsync.a(x int) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'PARALLEL SAFE' $$;
	format('CREATE OR REPLACE FUNCTION zcsync.b_%1$s(x int) RETURNS text LANGUAGE sql PARALLEL SAFE BEGIN ATOMIC SELECT 1; END');
CREATE FUNCTION zcsync.c() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'x';
SQL
is(join(' ', map { unlabelled(InstallScript::read_file($_)) } InstallScript::files()), '', 'each function has both labels');

# ---------------------------------------------------------------------
# They are true
# ---------------------------------------------------------------------

my %VOLATILITY = (i => 0, s => 1, v => 2);
my %PARALLEL = (s => 0, r => 1, u => 2);
my %LABEL = (volatility => [ 'IMMUTABLE', 'STABLE', 'VOLATILE' ], parallel => [ 'PARALLEL SAFE', 'PARALLEL RESTRICTED', 'PARALLEL UNSAFE' ]);

# These are stable for some types only: not for text, numbers, booleans, jsonb.
my %FOR_SOME_TYPES = map { $_ => 1 } qw(format concat concat_ws quote_nullable quote_literal array_to_string to_json to_jsonb jsonb_build_object
  jsonb_build_array jsonb_agg jsonb_object_agg jsonb_populate_record jsonb_to_record jsonb_to_recordset unnest to_tsvector);

# The least volatile and the safest of the functions of a name, by the name.
sub functions_of
{
	my ($rows) = @_;
	my %of;

	foreach my $row (@$rows)
	{
		my ($name, $volatility, $parallel) = @$row;
		my $function = $of{$name} //= { volatility => 2, parallel => 2 };

		$function->{volatility} = $VOLATILITY{$volatility} if $VOLATILITY{$volatility} < $function->{volatility};
		$function->{parallel} = $PARALLEL{$parallel} if $PARALLEL{$parallel} < $function->{parallel};
	}
	return %of;
}

# What is wrong with a function's labels, as [label, reason].
sub faults
{
	my ($function, $ours, $theirs) = @_;
	my $code = InstallScript::code($function->{body});
	my ($volatility, $parallel) = ($VOLATILITY{ $function->{volatility} }, $PARALLEL{ $function->{parallel} });
	my @faults;

	my $least = sub {
		my ($kind, $declared, $needed, $why) = @_;
		push @faults, "$function->{name} is $LABEL{$kind}[$declared] and $why" if $needed > $declared;
	};
	my %called;
	$called{"zcsync.$1"} = $ours->{$1} while $code =~ /\bzcsync\.(\w+)\(/g;
	$called{$1} = $theirs->{$1} while $code =~ /(?:(?<![\w.])|\bpg_catalog\.)([a-z_]\w*)\(/g;
	foreach my $name (sort grep { $called{$_} } keys %called)
	{
		my $needed = $called{$name}{volatility};

		$needed = 0 if $needed == 1 && $FOR_SOME_TYPES{$name};
		$least->('volatility', $volatility, $needed, "calls $name()");
		$least->('parallel', $parallel, $called{$name}{parallel}, "calls $name()");
	}
	$least->('volatility', $volatility, 1, 'reads a table') if $code =~ /\b(?:FROM|JOIN) (?:ONLY )?(?:zcsync\.\w+(?!\w*\()|pg_(?:class|proc|attribute|type|namespace|roles)\b)/;
	foreach my $does (
		[ 'writes', qr/\b(?:INSERT INTO|DELETE FROM|MERGE INTO|UPDATE (?!SKIP|OF)[\w.%]+ (?:AS \w+ )?SET|CREATE|ALTER|DROP|TRUNCATE|GRANT|REVOKE|LOCK TABLE)\b/ ],
		[ 'locks rows', qr/\bFOR (?:NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b/ ])
	{
		next unless $code =~ $does->[1];
		$least->('volatility', $volatility, 2, $does->[0]);
		$least->('parallel', $parallel, 2, $does->[0]);
	}
	$least->('parallel', $parallel, 2, 'begins a subtransaction') if $code =~ /\bEXCEPTION\s+WHEN\b/;
	$least->('parallel', $parallel, 1, 'reads temporary tables') if $code =~ /\bpg_temp\./;
	$least->('parallel', $parallel, 2, 'calls what it does not know') if $code =~ /\bzcsync\.\w*%(?:\d+\$)?[Is]\w*\(/;
	return @faults;
}

my %example = functions_of([ [ 'writer', 'v', 'u' ], [ 'reader', 's', 's' ], [ 'either', 'v', 'u' ], [ 'either', 'i', 's' ] ]);
my %builtin = functions_of([ [ 'now', 's', 's' ], [ 'set_config', 'v', 'u' ], [ 'format', 's', 's' ] ]);
is(join("\n", map { my ($volatility, $parallel, $body) = @$_; faults({ name => 'f', volatility => $volatility, parallel => $parallel, body => $body }, \%example, \%builtin) } (
	[ 's', 's', 'SELECT zcsync.writer() -- now()' ], [ 'i', 's', q{SELECT format('zcsync.writer()'), zcsync.either(), now()} ],
	[ 's', 'u', q{EXECUTE format('UPDATE zcsync.t SET a = 1')} ], [ 'i', 's', 'SELECT FROM zcsync.t' ], [ 's', 's', 'EXCEPTION WHEN others' ],
	[ 's', 's', 'SELECT zcsync.reader(), now() FROM zcsync.reader()' ], [ 'v', 'u', 'SELECT zcsync.writer() FOR UPDATE' ])),
	<<'FAULTS' =~ s/\n$//r, 'labels that are not true are seen');
f is STABLE and calls zcsync.writer()
f is PARALLEL SAFE and calls zcsync.writer()
f is IMMUTABLE and calls now()
f is STABLE and writes
f is IMMUTABLE and reads a table
f is PARALLEL SAFE and begins a subtransaction
FAULTS

my $node = new_node('main', conf => "zcsync.databases = ''");
$node->start;
setup_zcsync($node, 'postgres');

sub rows
{
	my ($query) = @_;

	return map { [ split /\x01/, $_, -1 ] } split /\x02/, $node->safe_psql('postgres', $query, extra_params => [ '-F', "\x01", '-R', "\x02" ]);
}

my %builtins = functions_of([ rows(q{SELECT proname, provolatile, proparallel FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace}) ]);
my @functions = rows(q{
	SELECT p.proname, p.provolatile, p.proparallel, l.lanname, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
	FROM pg_proc AS p
	JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace = 'zcsync'::regnamespace AND p.prokind = 'f'});
my %functions = functions_of(\@functions);

cmp_ok(scalar @functions, '>', 500, 'functions are looked at, those made by setup() with them');
my @faults = sort map { my ($name, $volatility, $parallel, $language, $body) = @$_;
	faults({ name => $name, volatility => $volatility, parallel => $parallel, body => $body }, \%functions, \%builtins) } grep { $_->[3] ne 'c' } @functions;
is(join("\n", @faults), '', 'each label is true');

$node->stop;
done_testing();
