# The rooms once more, from the catalog: functions that are generated (those of
# each kind) and views, as CREATE EXTENSION and setup() make them.  What the
# script says of itself, 071_rooms.pl looks at.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use InstallScript;
use Rooms;
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.databases = ''");
$node->start;
setup_zcsync($node, 'postgres');

sub rows
{
	my ($query) = @_;

	return map { [ split /\x01/, $_, -1 ] } split /\x02/, $node->safe_psql('postgres', $query, extra_params => [ '-F', "\x01", '-R', "\x02" ]);
}

my $rooms = Rooms->new;
my %written = map { $_->{name} => 1 } $rooms->definitions;
my @functions = rows(q{
	SELECT p.proname, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
	FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace = 'zcsync'::regnamespace AND p.prokind IN ('f', 'p') AND l.lanname <> 'c'});
my @views = rows(q{
	SELECT c.relname, pg_get_viewdef(c.oid)
	FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind IN ('v', 'm')});
my @generated = grep { !$written{ $_->[0] } } @functions;

cmp_ok(scalar @functions, '>', 500, 'functions are looked at');
cmp_ok(scalar @generated, '>', 20, 'generated ones among them');
cmp_ok(scalar @views, '>', 10, 'views are looked at');
foreach my $made (@functions, @views)
{
	my ($name, $text) = @$made;
	my $definition = $rooms->definition_of($name);

	ok($definition, "$name is made by the install script") unless $definition;
	next unless $definition;
	$rooms->note($definition->{room}, "$definition->{file} $name", grep { $_->[0] ne $name } InstallScript::uses($text));
}
is(join("\n", $rooms->unknown), '', 'each function that is called is defined');
is(join("\n", sort $rooms->arrows), '', 'no arrow runs back from a room to a later one');

$node->stop;
done_testing();
