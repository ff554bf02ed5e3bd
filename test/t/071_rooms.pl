# The rooms of sql/: who uses whose functions, types and tables.  A room may
# use those above it, and itself.  Looks at the text of the parts of the
# install script and at the SQL in C strings; needs no server:
#
#	perl test/t/071_rooms.pl
#
# Vendors come last: they may use all rooms, and no room may use a function of
# theirs but as a hook of a descriptor.
#
# prints each arrow that runs back, and what only one other room uses.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Test::More;
use InstallScript;

my @ROOMS = qw(core tables account queue mirror routes leads read operate vendor);
my %RANK = map { $ROOMS[$_] => $_ } 0 .. $#ROOMS;

# The DDL of all tables stands in tables/, but a table belongs to the room that
# says what its rows mean.
my %TABLES_OF = (
	core => 'installation alerts',
	account => 'accounts credentials',
	queue => 'account_budgets queues sync_queue claimants dead_letters sync_records job_id_seq',
	mirror => 'streams lists changes conflicts marks tickets tasks contacts companies comments fields statuses leads local_id_seq',
	routes => 'routes route_fields route_values links route_errors company_maps mail_providers',
	leads => 'lead_identities lead_sources lead_statuses lead_score_rules lead_stage_rules lead_match_rules lead_rows'
	  . ' lead_duplicates lead_merges intakes',
	operate => 'report_archive',
);
my %TABLES = map { my $room = $_; map { $_ => $room } split ' ', $TABLES_OF{$room} } keys %TABLES_OF;

# C files that have SQL in their strings.  Nothing of SQL calls the processes,
# which may use all of it.
my %C_ROOM = (
	'account.c' => 'account', 'run.c' => 'operate', 'queue.c' => 'queue', 'secret.c' => 'account',
	'local_jobs.c' => 'queue', 'worker.c' => 'operate',
);

# How many arrows may still run back, from a room to a later one.  These
# numbers may only fall: take an arrow away, and lower its number.
my %ALLOWED = (
);

# Lines that put the name of a function together when they run.  The number
# may only fall, too.  CREATE, COMMENT ON and the like of FUNCTION are none:
# functions for each kind are made by a generator.
my $GLUED_ALLOWED = 1;

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
SQL
	'a_function() a_name called() executed in_dollars() named quoted typed written', 'names in SQL count, those in words for people do not');
is(join('; ', map { $_->[1] =~ s/\s+/ /gr } InstallScript::statements("-- a;\nCREATE FUNCTION x() AS \$\$ b; \$\$; /* c; */ SELECT ';';")),
	"CREATE FUNCTION x() AS \$\$ b; \$\$;; SELECT ';';", 'statements of a script');
is(join('; ', InstallScript::sql_of_c('f("SELECT a " "FROM b"); hint("SELECT c();"); g("could not \"x\"");')), 'SELECT a FROM b', 'SQL in C strings');

# ---------------------------------------------------------------------
# What is defined where
# ---------------------------------------------------------------------

my @definitions = InstallScript::definitions();

# What a vendor is, all rooms may know; vendors themselves they do not.
$_->{room} = 'core' foreach grep { $_->{file} =~ m{vendor/contract\.sql$} } @definitions;
my (%function, %relation, %generated);

cmp_ok(scalar @definitions, '>', 500, 'the install script has definitions');
foreach my $definition (@definitions)
{
	my ($room, $text) = @$definition{qw(room text)};

	ok(exists $RANK{$room}, "$definition->{file} is in a room") unless exists $RANK{$room};
	if ($definition->{kind} eq 'TYPE')
	{
		$relation{ $definition->{name} } = $definition;
		next;
	}
	$function{ $definition->{name} } //= $definition;
	$relation{$1} = $definition while $text =~ /\bCREATE (?:OR REPLACE )?VIEW zcsync\.(\w+)/g;
	# made by format() for each kind or vendor
	$generated{$1} //= $definition while $text =~ /\bFUNCTION zcsync\.(_[a-z_]+_)%/g;
	while ($text =~ /\bCREATE (?:TABLE|SEQUENCE) zcsync\.(\w+)/g)
	{
		ok(0, "table $1 belongs to a room (say which in this test)") unless exists $TABLES{$1};
	}
}
$relation{$_} = { name => $_, file => 'tables', room => $TABLES{$_}, table => 1 } foreach keys %TABLES;

# Functions that a DO block makes for each kind.
foreach my $file (InstallScript::files())
{
	foreach my $statement (InstallScript::statements(InstallScript::read_file($file)))
	{
		my ($line, $text) = @$statement;

		next unless $text =~ /^DO /;
		$generated{$1} //= { name => $1, file => $file, room => InstallScript::room($file), line => $line }
		  while $text =~ /'(_[a-z_]+_)' \|\| v_kind/g;
	}
}

# The definition of a name that is used.
sub definition_of
{
	my ($name, $called) = @_;

	return $function{$name} // $relation{$name} // generator_of($name) if $called;
	return $relation{$name} // $function{$name} // generator_of($name);
}

sub generator_of
{
	my ($name) = @_;

	foreach my $prefix (sort { length $b <=> length $a } keys %generated)
	{
		return $generated{$prefix} if index($name, $prefix) == 0;
	}
	return undef;
}

# ---------------------------------------------------------------------
# Who uses it
# ---------------------------------------------------------------------

my (%arrows, %users, @unknown);

# Note that something in a room uses these names.
sub note_uses
{
	my ($room, $who, @uses) = @_;
	my %seen;

	foreach my $use (@uses)
	{
		my ($name, $called) = @$use;
		my $used = definition_of($name, $called);

		if (!$used)
		{
			push @unknown, "$who: $name" if $called;
			next;
		}
		next if $room eq 'tables' && $used->{table};	# their DDL stands there
		next if $seen{ $used->{room}, $name }++;
		$users{$name}{$room} = 1;
		push @{ $arrows{$room}{ $used->{room} } }, "$who uses $name of $used->{file}"
		  if $RANK{ $used->{room} } > $RANK{$room};
	}
}

foreach my $definition (@definitions)
{
	note_uses($definition->{room}, "$definition->{file}:$definition->{line} $definition->{name}",
		grep { $_->[0] ne $definition->{name} } InstallScript::uses($definition->{text}));
}

my %c = InstallScript::c_files();
foreach my $file (sort keys %c)
{
	my @uses = map { InstallScript::uses($_) } InstallScript::sql_of_c($c{$file});

	next unless @uses;
	ok(0, "src/$file has SQL, so it belongs to a room (say which in this test)") unless $C_ROOM{$file};
	note_uses($C_ROOM{$file} // 'core', "src/$file", @uses);
}

is(join("\n", @unknown), '', 'each function that is called is defined');

my $total = 0;
foreach my $from (@ROOMS)
{
	foreach my $to (@ROOMS)
	{
		my @arrows = @{ $arrows{$from}{$to} // [] };
		my $allowed = $ALLOWED{$from}{$to} // 0;

		next unless @arrows || $allowed;
		$total += @arrows;
		note("$from -> $to: " . @arrows, map { "\n    $_" } @arrows);
		cmp_ok(scalar @arrows, '<=', $allowed, "arrows back from $from to $to do not become more")
		  or diag(map { "    $_\n" } @arrows);
		diag("$from -> $to: lower the number in this test to " . @arrows) if @arrows < $allowed;
	}
}
note("$total arrows back in all");

# What only one later room uses may live there.  This is no rule.
foreach my $definition (@definitions)
{
	my @rooms = keys %{ $users{ $definition->{name} } // {} };

	note("hint: $definition->{name} of $definition->{file} is used by $rooms[0] alone")
	  if @rooms == 1 && $RANK{ $rooms[0] } > $RANK{ $definition->{room} } && $definition->{kind} ne 'TYPE' && $definition->{name} =~ /^_/;
}

# ---------------------------------------------------------------------
# Nothing but its own files and the registrations names a vendor
# ---------------------------------------------------------------------

my @vendors = map { m{/sql/vendor/(\w+)/$} ? $1 : () } map { "$_/" } grep { -d } glob "$FindBin::Bin/../../sql/vendor/*";
my @named;

cmp_ok(scalar @vendors, '>=', 2, 'there are vendors');
foreach my $file (glob("$FindBin::Bin/../../sql/*/*.sql $FindBin::Bin/../../sql/vendor/*/*.sql $FindBin::Bin/../../src/*.[ch]"))
{
	my $name = $file =~ s{^.*/\.\./\.\./}{}r;
	open my $in, '<', $file or die "$file: $!";
	while (my $line = <$in>)
	{
		foreach my $vendor (@vendors)
		{
			next if $line !~ /$vendor/i || $name =~ m{^sql/vendor/$vendor/|^src/connector_$vendor\.c$};
			# the default of allowed_hosts
			next if $name eq 'src/connector_list.h' || ($name eq 'src/settings.c' && $line =~ /"[a-z. *,]+"/);
			push @named, "$name:$.: $line";
		}
	}
	close $in;
}
is(join('', @named), '', 'no vendor is named but in its own files and where it is registered');

# ---------------------------------------------------------------------
# Names of functions are never put together
# ---------------------------------------------------------------------

my @glued;
foreach my $definition (@definitions)
{
	my $line = $definition->{line} - 1;

	foreach my $text (split /\n/, $definition->{text})
	{
		$line++;
		next if $text =~ /\bFUNCTION zcsync\./;
		push @glued, "$definition->{file}:$line" if $text =~ /\bzcsync\.\w*%(?:\d+\$)?[Is]\w*\(|\bzcsync\._?\w*' *\|\|/;
	}
}
note('glued: ', scalar @glued, map { "\n    $_" } @glued);
cmp_ok(scalar @glued, '<=', $GLUED_ALLOWED, 'names of functions that are put together do not become more')
  or diag(map { "    $_\n" } @glued);
diag('lower the number of glued names in this test to ' . @glued) if @glued < $GLUED_ALLOWED;

done_testing();
