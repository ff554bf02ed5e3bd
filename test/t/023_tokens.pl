# Access tokens: fetched once for all that waits, kept, fetched again when
# revoked, and an account whose credentials are refused is blocked once.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 20, '--tasks', 0);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', $_[0]); }
sub run_once { return run_worker($node, 'postgres', '20 s'); }
sub tokens_asked { return scalar grep { $_->{path} =~ m{oauth/tokens} } @{ $simulator->get('requests', vendor => 'zendesk')->{requests} }; }
sub pull { value(q{SELECT zcsync.refresh('acme/' || kind) FROM zcsync.streams}); run_once(); }

my $sealed = q{SELECT md5(sealed) FROM zcsync.credentials WHERE name = 'access_token'};
my $state = q{SELECT state FROM zcsync.accounts};
my $alerts = q{SELECT coalesce(string_agg(code || ' ' || object, ', '), 'none') FROM zcsync.alerts WHERE resolved_at IS NULL};

value(sprintf q{SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "base_url": "%s", "plan": "enterprise_plus", "high_volume": true,
		"budgets": {"token": {"calls": 1000, "concurrency": 1}}}',
	'{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')}, $simulator->zendesk);
value(q{SELECT count(*) FROM zcsync.add_stream('acme', 'tickets')});
value(q{SELECT count(*) FROM zcsync.add_stream('acme', 'fields')});
value(q{SELECT count(*) FROM zcsync.add_stream('acme', 'statuses')});
run_once();
is(tokens_asked(), 1, 'one token for all that waited');
is(value('SELECT count(*) > 0 FROM zcsync.statuses'), 't', 'which it was used for');
like(value(q{SELECT extract(epoch FROM expires_at - updated_at)::int FROM zcsync.credentials WHERE name = 'access_token'}),
	qr/^16[0-9][0-9]$/, 'the last tenth of its life is left unused');
my $first = value($sealed);
pull();
is(tokens_asked(), 1, 'another process finds it');
is(value($sealed), $first, 'as it was');

# Expired, by our clock.
value(q{UPDATE zcsync.credentials SET expires_at = now() - interval '1 second' WHERE name = 'access_token'});
pull();
is(tokens_asked(), 2, 'an expired token is fetched again');
isnt(value($sealed), $first, 'and replaced');

# Revoked, which only the vendor knows.
$simulator->post('expire_tokens', {});
pull();
is(tokens_asked(), 3, 'a revoked token is fetched again, once');
is(value($state) . ', alerts: ' . value($alerts), 'active, alerts: none', 'and nobody is bothered');
is(value('SELECT count(*) FROM zcsync.dead_letters'), 0, 'no job died of it');

# Refused for good.
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "wrong"}')});
is(value($sealed), '', 'new credentials end the token of the old ones');
pull();
is(value($state), 'blocked', 'refused credentials block the account');
is(value($alerts), 'credentials_refused acme', 'with one alert');
my $asked = tokens_asked();
pull();
is(tokens_asked(), $asked, 'and are not tried again');
unlike(value('SELECT state_reason || state_hint FROM zcsync.accounts'), qr/wrong/, 'the reason does not show the secret');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read"}')});
pull();
is(value($state) . ', alerts: ' . value($alerts), 'active, alerts: none', 'right ones let it work again');

# Without the key the token is no use, nor could another one be kept.
my $key_file = $node->data_dir . '/zcsync.key';
rename $key_file, "$key_file.away" or die;
pull();
is(value($state) . ', alerts: ' . value($alerts), 'blocked, alerts: key_missing ', 'a worker that finds no key blocks the account');
ok(!-e $key_file, 'and makes none');
is(value(q{SELECT state, since IS NOT NULL, why, who FROM zcsync.status WHERE state IN ('no key', 'alert')}), 'no key|t|key file "…/zcsync.key" is missing|superuser', 'status says since when, and once');
rename "$key_file.away", $key_file or die;
value(q{SELECT zcsync.resume_account('acme')});
pull();
is(value($state) . ', alerts: ' . value($alerts), 'active, alerts: none', 'and works on when it is back');

$node->stop;
done_testing();
