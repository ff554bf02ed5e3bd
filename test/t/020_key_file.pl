# The key file that seals credentials: made once, never again by itself; what
# happens without it, with another one, and how an operator gets on.

use strict;
use warnings;

use Fcntl ':mode';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nzcsync.allowed_hosts = 'api.clickup.com'");
$node->start;

my $key_file = $node->data_dir . '/zcsync.key';
my $db = 'sync';

# One value of one row.
sub value { my ($query, $in) = @_; return $node->safe_psql($in // $db, $query); }

# The error of a statement that must fail.
sub failure
{
	my ($query) = @_;
	my ($rc, $out, $err) = $node->psql($db, $query);
	isnt($rc, 0, "fails: $query");
	return $err;
}

sub set_up
{
	my ($in) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $in");
	setup_zcsync($node, $in);
}

# What becomes of an account when a worker, or somebody else, reads it: the
# credentials are opened before anything is sent.
sub read_account
{
	my ($name) = @_;
	return value(qq{SELECT class FROM zcsync._call(zcsync.account('$name'), '{"op": "team"}')});
}

my $states = q{SELECT string_agg(name || ':' || state, ' ' ORDER BY name) FROM zcsync.accounts};
my $alerts = q{SELECT count(*) || ' ' || coalesce(max(severity || ' ' || count), '') FROM zcsync.alerts
	WHERE code = 'key_missing' AND resolved_at IS NULL};
my $opened = q{SELECT count(*) FILTER (WHERE ok) || ' of ' || count(*) FROM zcsync.check_credentials()};

# Made with the first sealed value, and only then.
set_up($db);
ok(!-e $key_file, 'no key file before there is something to seal');
is(value('SELECT state FROM zcsync._key_status()'), 'missing', 'and the status says so');
value(q{SELECT zcsync.add_account('a', 'clickup', '{}', '{"token": "pk_first"}')});
ok(-e $key_file, 'key file made with the first credentials');
is(S_IMODE((stat $key_file)[2]), 0600, 'only its owner may read it');
my $key = slurp_file($key_file);
like($key, qr/^[0-9a-f]{64}\n$/, 'it holds one key');
is_deeply([ glob("$key_file*") ], [$key_file], 'nothing else was left beside it');
value(q{SELECT zcsync.add_account('b', 'clickup', '{}', '{"token": "pk_second"}')});
is(slurp_file($key_file), $key, 'it is not made again');
set_up('other');
value(q{SELECT zcsync.add_account('c', 'clickup', '{}', '{"token": "pk_third"}')}, 'other');
is(slurp_file($key_file), $key, 'nor for another database');
is(value('SELECT count(DISTINCT key_fingerprint) FROM zcsync.credentials'), 1, 'one fingerprint');

# A transaction that is rolled back leaves a key that the next one uses.
$node->restart;
is(value($opened), '2 of 2', 'credentials open after a restart');

# Several sessions that seal at the same time agree on one key.
{
	unlink $key_file or die;
	set_up('race');
	my @handles = map {
		my ($in, $out, $err) = ('', '', '');
		{ err => \$err, run => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('race'), '-c',
			"SELECT zcsync.add_account('r$_', 'clickup', '{}', '{\"token\": \"pk_$_\"}')" ], \$in, \$out, \$err) }
	} 1 .. 5;
	IPC::Run::finish($_->{run}) foreach @handles;
	is(join('', map { ${ $_->{err} } } @handles), '', 'sessions that make the key at the same time all succeed');
	is(value($opened, 'race'), '5 of 5', 'and each value opens');
	$node->safe_psql('postgres', 'DROP DATABASE race');
	unlink $key_file or die;
	append_to_file($key_file, $key);
	chmod 0600, $key_file or die;
}

# A dump holds no secret, and opens elsewhere with the same key.
{
	my $dump = $node->backup_dir . '/dump.sql';
	mkdir $node->backup_dir;
	$node->command_ok([ 'pg_dump', '-d', $node->connstr($db), '-f', $dump ], 'pg_dump');
	my $text = slurp_file($dump);
	unlike($text, qr/pk_first|pk_second/, 'no secret in the dump');
	unlike($text, qr/\Q@{[unpack('H*', 'pk_first')]}\E/, 'nor its bytes');
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
	is(value($opened, 'restored'), '2 of 2', 'credentials open in a restored database');
}

# Readable by others: refused, and neither replaced nor repaired.
chmod 0640, $key_file or die;
is(value($opened), '0 of 2', 'a key file that the group can read is not used');
like(value('SELECT message FROM zcsync._key_status()'), qr/can be read by group or others/, 'and the status says why');
like(failure(q{SELECT zcsync.set_credentials('a', '{"token": "pk_x"}')}), qr/cannot seal a credential: .*HINT:.*0600/s,
	'nothing is sealed with it');
is(S_IMODE((stat $key_file)[2]), 0640, 'its mode is left alone');
chmod 0600, $key_file or die;

# Missing: accounts are blocked as they are read, with one alert for all.
rename $key_file, "$key_file.away" or die;
is(value($states), 'a:active b:active', 'nobody has noticed yet');
is(read_account('a'), 'config', 'an account whose key is missing cannot be called');
is(read_account('b'), 'config', 'nor another one');
is(value($states), 'a:blocked b:blocked', 'both are blocked');
is(value($alerts), '1 critical 2', 'with one alert');
like(value(q{SELECT state_reason || state_hint FROM zcsync.accounts WHERE name = 'a'}),
	qr/key file .* is missing.*back from a backup/, 'that says what to do');
read_account('a');
is(value($alerts), '1 critical 2', 'which is not repeated');
like(failure(q{SELECT zcsync.set_credentials('a', '{"token": "pk_x"}')}), qr/cannot seal a credential: key file .* is missing/,
	'no key is made while there are values sealed with the missing one');
like(failure(q{SELECT zcsync.add_account('z', 'clickup', '{}', '{"token": "pk_x"}')}), qr/key file .* is missing/,
	'not for a new account either');
like(failure(q{SELECT zcsync.resume_account('a')}), qr/cannot resume account "a": key file .* is missing/, 'resuming does not help');
$node->restart;
read_account('a');
ok(!-e $key_file, 'nor does a restart make one');

# Back again.
rename "$key_file.away", $key_file or die;
value(q{SELECT zcsync.resume_account('a')});
is(value($states), 'a:active b:blocked', 'with the key back, an account is resumed');
is(value($alerts), '0 ', 'and the alert is over');
value(q{SELECT zcsync.resume_account('b')});
is(value($opened), '2 of 2', 'everything opens');

# Another key: not the one that is needed, but one to seal with.
rename $key_file, "$key_file.away" or die;
append_to_file($key_file, 'ab' x 32 . "\n");
chmod 0600, $key_file or die;
read_account($_) foreach qw(a b);
is(value($states), 'a:blocked b:blocked', 'another key blocks, too');
is(value($alerts), '1 critical 2', 'with one alert');
like(value(q{SELECT state_reason FROM zcsync.accounts WHERE name = 'a'}), qr/holds another key/, 'and another reason');
is(slurp_file($key_file), 'ab' x 32 . "\n", 'and is left alone');
value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_new"}')});
is(value($states), 'a:active b:blocked', 'new credentials are sealed with it');
is(value($alerts), '1 critical 2', 'the alert stays while another account needs the old key');
value(q{SELECT zcsync.set_credentials('b', '{"token": "pk_new"}')});
is(value($alerts), '0 ', 'and is over when none does');

# Not a key.
foreach my $text ('', 'ab' x 31, 'ab' x 33, 'zz' x 32, "ab\n" x 22)
{
	open my $fh, '>', $key_file or die;
	print $fh $text;
	close $fh;
	is(value('SELECT state FROM zcsync._key_status()'), 'unusable', 'a key file of ' . length($text) . ' other characters is no key');
}
unlink $key_file or die;
mkdir $key_file or die;
is(value('SELECT state FROM zcsync._key_status()'), 'unusable', 'nor is a directory');
rmdir $key_file or die;

# Lost for good: an operator says so, account by account.
is(value('SELECT sum(zcsync.forget_credentials(name)) FROM zcsync.accounts'), 2, 'credentials are forgotten');
value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')});
ok(-e $key_file, 'then a new key is made');
isnt(slurp_file($key_file), $key, 'which is another one');
is(value($states), 'a:active b:blocked', 'and the account works again');

# Missing for a while only: the worker, or run(), finds it again.
rename $key_file, "$key_file.away" or die;
read_account('a');
value(q{CALL zcsync.run('1 s')});
is(value($states), 'a:blocked b:blocked', 'without the key an account is blocked');
like(value(q{SELECT state_hint FROM zcsync.accounts WHERE name = 'a'}), qr/go on by themselves then/, 'and says for how long');
rename "$key_file.away", $key_file or die;
value(q{CALL zcsync.run('1 s')});
is(value($states), 'a:active b:blocked', 'with it back it goes on by itself');
is(value($alerts), '0 ', 'and the alert is over');

# The setting: an absolute path, and one that cannot be written.
value(q{SELECT sum(zcsync.forget_credentials(name)) FROM zcsync.accounts});
my $elsewhere = PostgreSQL::Test::Utils::tempdir();
$node->append_conf('postgresql.conf', "zcsync.key_file = '$elsewhere/my.key'");
$node->reload;
value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')});
ok(-e "$elsewhere/my.key", 'the key file is where zcsync.key_file says');
value(q{SELECT zcsync.forget_credentials('a')});
$node->append_conf('postgresql.conf', "zcsync.key_file = '$elsewhere/nosuch/my.key'");
$node->reload;
like(failure(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')}), qr/could not create file .*HINT:.*zcsync.key_file/s,
	'a place that cannot be written is an error with a hint');
$node->append_conf('postgresql.conf', "zcsync.key_file = ''");
$node->reload;

# By default beside the configuration file, where that lies elsewhere: looked at
# first there, then in the data directory.
sub key_place { return value(q{SELECT ok || ' ' || path FROM zcsync.selfcheck(), zcsync._key_status() WHERE item = 'key place'}); }
is(value(q{SELECT ok || ' ' || message || ' ' || hint FROM zcsync.selfcheck() WHERE item = 'key place'}) =~ s/ Copy it.*//r,
	qq{false the key file is "$key_file", in the data directory: base backups contain it, pg_rewind may delete it, and a standby may be without it}, 'selfcheck() warns of the data directory');
like(value(q{SELECT detail FROM zcsync.setup() WHERE action = 'to do'}), qr/^the key file is .* in the data directory: .*ALTER SYSTEM SET zcsync.key_file = /, 'so does setup()');
rename "$elsewhere/my.key", $key_file or die;
value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')});
$node->stop;
my $conf = PostgreSQL::Test::Utils::tempdir();
start_with_config($node, $conf);
is(value($opened), '1 of 2', 'a key that was made in the data directory is used on');
is(key_place(), "false $key_file", 'and selfcheck() still says where it is');
value(q{SELECT zcsync.set_credentials('b', '{"token": "pk_second"}')});
ok(!-e "$conf/zcsync.key", 'no other key is made beside it');
append_to_file("$conf/zcsync.key", 'cd' x 32 . "\n");
chmod 0600, "$conf/zcsync.key" or die;
is(value($opened), '2 of 2', 'nor does the key of another server in the directory of both keep it from working');
value(q{SELECT zcsync.set_credentials('b', '{"token": "pk_third"}')});
is(value('SELECT count(DISTINCT key_fingerprint) || min(ok::text) FROM zcsync.credentials, zcsync.selfcheck() WHERE item = $$key$$'), '1true', 'what is sealed goes on with the same key');
unlink "$conf/zcsync.key" or die;
rename $key_file, "$conf/zcsync.key" or die;
is(value($opened), '2 of 2', 'moved beside the configuration file it is found');
is(key_place(), "true $conf/zcsync.key", 'and nothing is said any more');
unlink "$conf/zcsync.key" or die;
is(value(q{SELECT message FROM zcsync.selfcheck() WHERE item = 'key'}), qq{key file "$conf/zcsync.key" is missing}, 'where it is missing');
value(q{SELECT sum(zcsync.forget_credentials(name)) FROM zcsync.accounts});
value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')});
ok(-e "$conf/zcsync.key" && !-e $key_file, 'a new key is made there');
SKIP:
{
	skip 'root may write everywhere', 1 if $> == 0;
	value(q{SELECT zcsync.forget_credentials('a')});
	unlink "$conf/zcsync.key" or die;
	chmod 0500, $conf or die;
	value(q{SELECT zcsync.set_credentials('a', '{"token": "pk_again"}')});
	ok(-e $key_file, 'or in the data directory, where the server may not write there');
	chmod 0700, $conf or die;
}

# Secrets in files: selfcheck() reads each, and says which it cannot.
my $secrets = PostgreSQL::Test::Utils::tempdir();
value(qq{ALTER SYSTEM SET zcsync.credentials_directory = '$secrets'});
$node->reload;
append_to_file("$secrets/b_token", "pk_file\n");
value(q{SELECT zcsync.set_credentials('b', '{"token": "file:b_token"}')});
is(value(q{SELECT ok || ' ' || message FROM zcsync.selfcheck() WHERE item = 'credentials'}), 'true 1 kept in files or in the environment can be read', 'a secret in a file');

# Where only access tokens are sealed, a lost key is made anew, and they are fetched.
value(q{SELECT zcsync.forget_credentials('a'); SELECT zcsync._seal_credential(zcsync.account('b'), 'access_token', 'x');
	UPDATE zcsync.credentials SET expires_at = now() + interval '1 hour' WHERE name = 'access_token'});
unlink $key_file, "$conf/zcsync.key";
is(value($opened), '2 of 3', 'secrets in files need no key');
is(value(q{SELECT ok FROM zcsync.selfcheck() WHERE item = 'key'}), 't', 'nor does selfcheck() ask for one');
value(q{SELECT zcsync._seal_credential(zcsync.account('b'), 'access_token', 'y')});
ok(-e "$conf/zcsync.key", 'the next token makes one');
unlink "$secrets/b_token" or die;
like(value(q{SELECT ok || ' ' || message FROM zcsync.selfcheck() WHERE item = 'credentials'}), qr/^false credential "token" of account "b": could not open file/, 'that is gone');

$node->stop;
done_testing();
