# The rooms of sql/: who uses whose functions, types and tables.  A room may
# use those before it, and itself (test/perl/Rooms.pm).  Looks at the text of the
# parts of the install script and at the SQL in C strings; needs no server:
#
#	perl test/t/071_rooms.pl
#
# prints each arrow that runs back, and what only one other room uses.  What is
# generated, 076_generated.pl looks at in the catalog.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Test::More;
use InstallScript;
use Rooms;

# C files that have SQL in their strings.  Nothing of SQL calls the processes,
# which may use all of it.
my %C_ROOM = (
	'account.c' => 'account', 'alerts.c' => 'operate', 'run.c' => 'operate', 'queue.c' => 'queue', 'secret_rows.c' => 'account', 'token.c' => 'account',
	'lead_rule.c' => 'leads', 'lead_score.c' => 'leads', 'lead_trigger.c' => 'leads', 'local_account.c' => 'account', 'local_jobs.c' => 'queue',
	'worker.c' => 'operate',
);

# ---------------------------------------------------------------------
# The scan sees what it is for
# ---------------------------------------------------------------------

is(join(' ', sort map { $_->[1] ? "$_->[0]()" : $_->[0] } InstallScript::uses(<<'SQL')),
	-- zcsync.in_a_comment()
	PERFORM zcsync.called(1) FROM zcsync.named AS n /* zcsync.commented */;
	INSERT INTO zcsync.written(a) VALUES (current_setting('zcsync.setting'), 'zcsync.a_name'::regclass, 'zcsync.a_function(text, bigint[])'::regprocedure);
	v_row zcsync.typed%ROWTYPE;
	RAISE EXCEPTION USING HINT = 'Run SELECT zcsync.hinted();';
	EXECUTE format('SELECT zcsync.%I(x) FROM zcsync.executed WHERE ' || 'y = ''zcsync.quoted''') USING a;
	RAISE NOTICE 'SELECT zcsync.said()';
	RETURN format($sql$ SELECT zcsync.in_dollars('zcsync.is not a name') $sql$);
	v_filter := 'status NOT IN (SELECT c.status FROM zcsync.in_expression AS c)';
SQL
	'a_function() a_name called() executed in_dollars() in_expression named quoted typed written', 'names in SQL count, those in words for people do not');
is(join('; ', map { $_->[1] =~ s/\s+/ /gr } InstallScript::statements("-- a;\nCREATE FUNCTION x() AS \$\$ b; \$\$; /* c; */ SELECT ';';")),
	"CREATE FUNCTION x() AS \$\$ b; \$\$;; SELECT ';';", 'statements of a script');
is(join('; ', InstallScript::sql_of_c('f("SELECT a " "FROM b"); hint("SELECT c();"); g("could not \"x\"");')), 'SELECT a FROM b', 'SQL in C strings');

my $small = Rooms->new(map { { kind => 'FUNCTION', name => $_->[0], file => "$_->[1]/x.sql", room => $_->[1], text => '' } }
	  [ 'early', 'queue' ], [ 'late', 'routes' ]);
$small->note('queue', 'early', InstallScript::uses('SELECT zcsync.late(), zcsync.early(), zcsync.none() FROM zcsync.links, zcsync.accounts'));
$small->note('routes', 'late', InstallScript::uses('SELECT zcsync.early() FROM zcsync.links'));
is(join("\n", $small->arrows, $small->unknown), <<'ARROWS' =~ s/\n$//r, 'what runs back is seen, and what is not defined');
queue -> routes: early uses late of routes/x.sql
queue -> routes: early uses links of tables
early: none
ARROWS

# ---------------------------------------------------------------------
# No arrow runs back
# ---------------------------------------------------------------------

my $rooms = Rooms->new;
my %c = InstallScript::c_files();

cmp_ok(scalar $rooms->definitions, '>', 500, 'the install script has definitions');
is(join(' ', $rooms->shared_names), '', 'functions of two rooms have two names');
is(join(' ', $rooms->homeless_tables), '', 'each table belongs to a room (say which in Rooms.pm)');
foreach my $definition ($rooms->definitions)
{
	$rooms->note($definition->{room}, "$definition->{file}:$definition->{line} $definition->{name}",
		grep { $_->[0] ne $definition->{name} } InstallScript::uses($definition->{text}));
}
foreach my $block (InstallScript::blocks())
{
	my ($file, $line, $text) = @$block;

	$rooms->note(InstallScript::room($file), "$file:$line DO", InstallScript::uses($text));
}
foreach my $file (sort keys %c)
{
	my @uses = map { InstallScript::uses($_) } InstallScript::sql_of_c($c{$file});

	next unless @uses;
	ok(0, "src/$file has SQL, so it belongs to a room (say which in this test)") unless $C_ROOM{$file};
	$rooms->note($C_ROOM{$file} // 'core', "src/$file", @uses);
}
is(join("\n", $rooms->unknown), '', 'each function that is called is defined');
is(join("\n", sort $rooms->arrows), '', 'no arrow runs back from a room to a later one');
note(scalar($rooms->arrows), ' arrows back');
note("hint: $_") foreach $rooms->misplaced;		# it may live there; this is no rule

# ---------------------------------------------------------------------
# Nothing but its own files and the registrations names a vendor
# ---------------------------------------------------------------------

my $root = "$FindBin::Bin/../..";
my @vendors = map { m{/(\w+)$} ? $1 : () } grep { -d } glob "$root/sql/vendor/*";
my @named;

cmp_ok(scalar @vendors, '>=', 2, 'there are vendors');
foreach my $path (glob("$root/*.* $root/Makefile $root/sql/load_order $root/sql/*/*.sql $root/sql/vendor/*/*.sql $root/src/* $root/.ci/*"))
{
	my $name = $path =~ s{^\Q$root\E/}{}r;

	# the registrations; metadata and what is to be read
	next if !-f $path || $name =~ m{^sql/load_order$|^src/connector_list\.h$|^META\.json$|\.control$|\.md$|\.o$|\.bc$|\.so$};
	open my $in, '<', $path or die "$path: $!";
	while (my $line = <$in>)
	{
		foreach my $vendor (@vendors)
		{
			next if $line !~ /$vendor/i || $name =~ m{^sql/vendor/$vendor/|^src/connector_$vendor\.c$};
			next if $name eq 'src/settings.c' && $line =~ /"[a-z. *,-]+"/;	# the defaults of the lists of hosts
			push @named, "$name:$.: $line";
		}
	}
	close $in;
}
is(join('', @named), '', 'no vendor is named but in its own files and where it is registered');

# ---------------------------------------------------------------------
# Names of functions are never put together
# ---------------------------------------------------------------------

# Of text, the lines that put the name of a function of zcsync together.  CREATE,
# COMMENT ON and the like of FUNCTION are none: a generator makes functions for
# each kind.
sub glued
{
	my ($text) = @_;

	return grep { !/\bFUNCTION zcsync\./ && /\bzcsync\.\w*%(?:\d+\$)?[Is]\w*\(|\bzcsync\._?\w*' *\|\|/ } split /\n/, $text;
}

is(scalar glued(<<'SQL'), 3, 'names that are put together are seen');
	EXECUTE format('SELECT zcsync._take_%s($1)', kind);
	EXECUTE format('SELECT * FROM zcsync.%I($1)', '_take_' || kind);
	RETURN ('zcsync._rows_' || kind)::regproc;
	EXECUTE format('COMMENT ON FUNCTION zcsync.%I(bigint) IS %L', '_take_' || kind, 'x');
	EXECUTE format('SELECT t.a FROM zcsync.%I AS t', kind);
SQL
my @glued = map { my $definition = $_; map { "$definition->{file} $definition->{name}: $_" } glued($definition->{text}) } $rooms->definitions;
is(join("\n", @glued), '', 'no name of a function is put together');
note(scalar(@glued), ' glued names');

done_testing();
