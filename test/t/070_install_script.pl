# The install script, looked at the way pgspot does: nothing in it can be led
# astray by what another role made beforehand.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

# The statements of a script at its top level, without comments and with the
# bodies of functions and all literals taken out.
sub statements
{
	my ($script) = @_;
	my $rest = '';

	$script =~ s/^\\echo .*\n//;
	while ($script =~ /\G(?:
			(?<skip>--[^\n]*|\/\*.*?\*\/)
			|(?<body>(?<tag>\$[a-z_]*\$).*?\k<tag>)
			|(?<atomic>\bBEGIN\s+ATOMIC\b.*?^END)
			|(?<literal>'(?:[^']|'')*')
			|(?<other>.))/gxsm)
	{
		$rest .= defined $+{other} ? $+{other} : defined $+{literal} ? "''" : defined $+{skip} ? ' ' : ' BODY ';
	}
	return grep { /\S/ } map { s/\s+/ /gr =~ s/^ | $//gr } split /;/, $rest;
}

# What is wrong with these statements.
sub faults
{
	my @faults;

	foreach my $statement (@_)
	{
		my $short = substr $statement, 0, 80;

		push @faults, "adopts what is there: $short" if $statement =~ /\bOR REPLACE\b|\bIF NOT EXISTS\b/i;
		push @faults, "not of a kind that belongs there: $short"
		  unless $statement =~ /^(?:SET LOCAL|CREATE (?:SCHEMA|FUNCTION|PROCEDURE|TYPE|OPERATOR(?: CLASS)?)|COMMENT ON|REVOKE|DO)\b/;
		push @faults, "not in schema zcsync: $short"
		  if $statement =~ /^CREATE (?:FUNCTION|PROCEDURE|TYPE|OPERATOR CLASS|OPERATOR(?! CLASS)) (?!zcsync\.)/;
		push @faults, "owner's rights without a pinned path: $short"
		  if $statement =~ /\bSECURITY DEFINER\b/ && $statement !~ /\bSET search_path = pg_catalog, pg_temp\b/;
	}
	return @faults;
}

# The check finds what it is for.
is(scalar faults(statements(<<'SQL')), 6, 'the check finds faults, and not in bodies and literals');
CREATE OR REPLACE FUNCTION zcsync.a() RETURNS void LANGUAGE sql AS $$ SELECT 1; $$;
CREATE TABLE zcsync.b (c integer);
CREATE FUNCTION d() RETURNS void LANGUAGE sql BEGIN ATOMIC
	SELECT 1;
END;
CREATE FUNCTION zcsync.e() RETURNS void LANGUAGE sql SECURITY DEFINER AS $f$ CREATE TABLE IF NOT EXISTS x (); $f$;
COMMENT ON FUNCTION zcsync.e() IS 'CREATE OR REPLACE; isn''t one';
GRANT USAGE ON SCHEMA zcsync TO PUBLIC; -- GRANT
SQL

my $folder = "$FindBin::Bin/../../sql";
my @parts = split ' ', slurp_file("$folder/load_order");
my $script = join '', map { slurp_file("$folder/$_") } @parts;
is(join("\n", sort @parts), join("\n", sort map { substr($_, length("$folder/")) } map { glob "$folder/$_/*.sql" } qw(* vendor/*)),
	'each file of a room is loaded, once');
my @statements = statements($script);
cmp_ok(scalar @statements, '>', 500, 'the script has statements');
like($script, qr/^\\echo Use "CREATE EXTENSION zcsync" to load this file\. \\quit\n\nSET LOCAL search_path TO pg_catalog, pg_temp;\n/,
	'it refuses to be run by hand, and pins its path first');
is(join("\n", faults(@statements)), '', 'no statement can adopt or be led to what another role made');
is(join("\n", grep { /^CREATE SCHEMA/ } @statements), 'CREATE SCHEMA zcsync', 'it makes its schema itself');

# A step of the tables must do for ever what it did when it was released.
my ($made, @called) = (0);
for my $part (grep { m{^tables/step_} } @parts)
{
	for my $line (split /\n/, slurp_file("$folder/$part"))
	{
		next if $line =~ /^(?:CREATE|COMMENT ON) FUNCTION zcsync\._step_\d+_\w+\(/;
		next if $line =~ /^\t'.*';$/ || $line =~ /^\tCOMMENT ON COLUMN zcsync\.\w+\.\w+ IS '.*';$/;	# what COMMENT ON says
		$line =~ s/\s--\s.*//;
		$made++ if $line =~ /^\tCREATE TABLE /;
		push @called, "$part: $line" if $line =~ /zcsync\.(?!_index_)\w+\((?!\d)/ && $line !~ /\b(?:TABLE|INDEX|ON|REFERENCES) zcsync\.\w+ ?\(/
			|| $line =~ /\b(?:PERFORM|EXECUTE|IF|LOOP)\b/;
	}
}
cmp_ok($made, '>', 30, 'the steps of the tables make tables');
is(join("\n", @called), '', 'by literal DDL, which calls nothing of zcsync but functions of indexes');

my $node = new_node('main', conf => "zcsync.databases = ''");
$node->start;

# A schema that was there before is no place for it.
$node->safe_psql('postgres', 'CREATE ROLE mallory; CREATE SCHEMA zcsync AUTHORIZATION mallory');
isnt($node->psql('postgres', 'CREATE EXTENSION zcsync', stderr => \my $stderr), 0, 'a schema of that name made beforehand');
like($stderr, qr/schema "zcsync" already exists/, 'is an error, and not adopted');
$node->safe_psql('postgres', 'DROP SCHEMA zcsync; CREATE SCHEMA zcsync_routes AUTHORIZATION mallory; CREATE EXTENSION zcsync');
isnt($node->psql('postgres', 'SELECT zcsync.setup()', stderr => \$stderr), 0, 'nor is that of compiled routes');
like($stderr, qr/schema "zcsync_routes" belongs to another role/, 'which is said');
$node->safe_psql('postgres', 'DROP SCHEMA zcsync_routes; DROP EXTENSION zcsync');

# Names that lie in wait on the path, and default privileges that give away.
$node->safe_psql('postgres', <<'SQL');
GRANT CREATE ON SCHEMA public TO mallory;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
CREATE TABLE public.caught (by text);
GRANT INSERT ON public.caught TO PUBLIC;
SET ROLE mallory;
CREATE FUNCTION public.lurk(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN $1; END $$;
CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = public.lurk);
CREATE FUNCTION public.lurk_too(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN true; END $$;
CREATE OPERATOR public.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = public.lurk_too);
CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN $1; END $$;
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN pg_catalog.now(); END $$;
SQL
$node->safe_psql('postgres', <<'SQL');
SET search_path = public, pg_catalog;
CREATE TEMP TABLE pg_class (oid oid, relname name, relnamespace oid);
CREATE TEMP TABLE pg_proc (oid oid);
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT FROM zcsync.setup();
SELECT FROM zcsync.selfcheck();
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "1", "base_url": "https://127.0.0.1"}');
SELECT FROM zcsync.add_stream('dev', 'tasks');
SELECT FROM zcsync.alter_stream('dev/tasks', writes => true);
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (1, '901', 'a');
UPDATE zcsync.tasks SET name = 'b';
SELECT FROM zcsync._claim_jobs(1, 1, 10);
SELECT * FROM zcsync.status, zcsync.errors, zcsync.progress;
SELECT * FROM zcsync.tasks_page();
SET session_replication_role = replica;
INSERT INTO zcsync.tickets (account_id, remote_id, created_at) VALUES (1, '1', '2026-01-01');
RESET session_replication_role;
SELECT 1 / count(*) FROM (SELECT reference FROM zcsync.tickets_report('2026-01-01', '2026-02-01', 'dev') OFFSET 0) AS r;
CALL zcsync.maintain();
SELECT zcsync.remove_account('dev', force => true);
SQL
is($node->safe_psql('postgres', 'SELECT * FROM public.caught'), '', 'names of others are never found');
is($node->safe_psql('postgres', <<'SQL'), '', 'nothing is granted to PUBLIC, whatever the default privileges');
SELECT p.oid::regprocedure FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
WHERE p.pronamespace::regnamespace::text LIKE 'zcsync%' AND a.grantee = 0
SQL

# Every function: with the rights of its owner or in plpgsql only with a pinned
# path, pg_temp last; else with a body that was bound when it was made.  The
# three exceptions cannot have a SET clause: one commits, the others are inlined.
my $unpinned = q{FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace = 'zcsync'::regnamespace AND NOT ('search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}')))};
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'zcsync'::regnamespace AND proconfig IS NOT NULL}), '>', 200, 'functions pin their path');
is($node->safe_psql('postgres', "SELECT p.oid::regprocedure $unpinned AND (p.prosecdef OR l.lanname NOT IN ('c', 'internal', 'sql') OR (l.lanname = 'sql' AND p.prosqlbody IS NULL)) ORDER BY 1"),
	"zcsync._allowances(bigint,timestamp with time zone,text[])\nzcsync.tickets_report(timestamp with time zone,timestamp with time zone,text)\nzcsync.maintain()", 'all others have bodies without names to look up');
is($node->safe_psql('postgres', q{SELECT p.oid::regprocedure FROM pg_proc p, unnest(p.proconfig) AS c
	WHERE p.pronamespace = 'zcsync'::regnamespace AND c LIKE 'search_path=%' AND c <> 'search_path=pg_catalog, pg_temp'}), '', 'and no path is another one');
my ($maintain) = $script =~ /^CREATE PROCEDURE zcsync\.maintain\(\).*?\$\$(.*?)\$\$/ms;
$maintain =~ s/'(?:[^']|'')*'/''/g;
$maintain =~ s/\bOPERATOR\(pg_catalog\.[^()]+\)/ /g;
$maintain =~ s/\b(?:ERRCODE|MESSAGE|DETAIL|HINT) =/ /g;
is(join(' ', grep { !/^(?:zcsync\._\w+|pg_catalog\.\w+|coalesce)$/ } $maintain =~ /([\w.]+)\(/g), '', 'the exception calls functions by their full names');
unlike($maintain =~ s/:=//gr, qr{[-+*/<>=~!@#%^&|`?]|::|\bFROM\b}, 'and uses no cast, no table, and operators by their full names, too');
is($node->safe_psql('postgres', q{SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'zcsync'::regnamespace AND p.prosecdef AND p.prokind = 'p'}), '', 'no procedure has the rights of its owner');

$node->stop;
done_testing();
