# The real exporter and the real Prometheus read what doc/monitoring has: each
# query of the exporter, each alert rule and each query of the dashboard has an
# answer while zcsync works.

use strict;
use warnings;
use File::Basename qw(dirname);
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use lib dirname(__FILE__) . '/../perl';
use ZcsyncFlow;
use ZcsyncTest;

my $top = dirname(__FILE__) . '/../..';
my $limit = $PostgreSQL::Test::Utils::timeout_default;
my @started;

# What was started ends with the test, however that ends: by its own handle.
END
{
	my $status = $?;
	$_->signal('TERM') for @started;
	sleep 0.5 if @started;
	$_->kill_kill(grace => 5) for @started;
	$? = $status;
}

# Start a program, and wait until it answers on its port.
sub start_program
{
	my ($name, $port, $path, @command) = @_;
	my $log = "$PostgreSQL::Test::Utils::tmp_check/$name.log";

	push @started, IPC::Run::start(\@command, '<', \undef, '>', $log, '2>', $log);
	my $deadline = time + $limit;
	while (time < $deadline)
	{
		return pass("$name answers") if HTTP::Tiny->new(timeout => 10)->get("http://127.0.0.1:$port$path")->{success};
		sleep 0.5;
	}
	diag(slurp_file($log));
	die "$name does not answer";
}

# promtool's opinion; its complaints are shown.
sub promtool
{
	my ($what, $input, @arguments) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'promtool', 'check', @arguments ], '<', \$input, '>', \$out, '2>', \$err, IPC::Run::timeout($limit));
	return is($? . $err, '0', $what) || diag($out);
}

my $flow = ZcsyncFlow->start('main', tickets => 100);
my ($node, $simulator) = ($flow->node, $flow->simulator);
$flow->mirror;
$flow->route;

# The role that doc/security.md describes may read all of it, and needs no more.
my @grants = slurp_file("$top/doc/security.md") =~ /^    (GRANT [^;]* TO monitor;)/mg;
cmp_ok(scalar @grants, '>', 3, 'doc/security.md has the grants of a monitoring role');
$node->safe_psql('postgres', join "\n", 'CREATE ROLE monitor LOGIN;', @grants);
my $text = $node->safe_psql('postgres', 'SELECT zcsync.metrics()', extra_params => [ '-U', 'monitor' ]);
promtool('metrics() is as promtool wants it', "$text\n", 'metrics');
promtool('the alert rules, too', '', 'rules', "$top/doc/monitoring/alerts.yml");
promtool('and the configuration, with the rules it names', '', 'config', "$top/doc/monitoring/prometheus.yml");
unlike($text, qr/client-acme|secret-acme|pk_183/, 'no credential is in it');

my ($exporter_port, $prometheus_port) = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 2;
{
	local $ENV{DATA_SOURCE_NAME} = sprintf 'postgresql://monitor@:%s/postgres?host=%s&sslmode=disable', $node->port, $node->host;
	start_program('exporter', $exporter_port, '/metrics', 'prometheus-postgres-exporter', '--disable-default-metrics', '--disable-settings-metrics',
		"--web.listen-address=127.0.0.1:$exporter_port", "--extend.query-path=$top/doc/monitoring/queries.yaml");
}

# Prometheus as doc/monitoring/prometheus.yml has it, but each second.
my $directory = $node->basedir;
my $config = slurp_file("$top/doc/monitoring/prometheus.yml");
$config =~ s/127\.0\.0\.1:9187/127.0.0.1:$exporter_port/;
$config =~ s/_interval: 15s/_interval: 2s/g;
$config =~ s/scrape_timeout: 5s/scrape_timeout: 2s/;
append_to_file("$directory/prometheus.yml", $config);
append_to_file("$directory/alerts.yml", slurp_file("$top/doc/monitoring/alerts.yml"));
start_program('prometheus', $prometheus_port, '/-/ready', 'prometheus', "--config.file=$directory/prometheus.yml",
	"--storage.tsdb.path=$directory/prometheus", "--web.listen-address=127.0.0.1:$prometheus_port");

sub ask
{
	my ($path, %parameters) = @_;
	my $http = HTTP::Tiny->new(timeout => 30);
	my $reply = $http->get("http://127.0.0.1:$prometheus_port/api/v1/$path?" . $http->www_form_urlencode(\%parameters));

	return $reply->{success} ? decode_json($reply->{content})->{data} : diag("$path: $reply->{content}");
}

# The answers to a query that are numbers.
sub numbers { return grep { $_->{value}[1] !~ /NaN/ } @{ (ask('query', query => $_[0]) || { result => [] })->{result} } }

# Load: edits at Zendesk that go to ClickUp, a few a second, and a vendor that once
# fails; the cache is used.
my $began = time;
my $round = 0;
$flow->backfill;
while (time < $began + 60)
{
	$round++;
	$simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => "Round $round of $_" } } } map { 5 * $_ } 1 .. 10 ]);
	$node->safe_psql('postgres', "SELECT zcsync.cache_get('key'), zcsync.cache_set('key', '1')");
	sleep 1;
}

# Each query of the dashboard.
my $dashboard = decode_json(slurp_file("$top/doc/monitoring/dashboard.json"));
for my $panel (@{ $dashboard->{panels} })
{
	for my $target (@{ $panel->{targets} })
	{
		my $query = $target->{expr} =~ s/\$__rate_interval/1m/gr;
		my $deadline = time + $limit;
		my @found = numbers($query);

		while (!@found && time < $deadline)
		{
			$simulator->post('edit', { account => 'acme', id => 5, fields => { subject => 'At ' . time } });
			sleep 1;
			@found = numbers($query);
		}
		ok(scalar @found, "$panel->{title}: $target->{expr}");
	}
}

# What the exporter says is what metrics() says, by name and labels.
my $exported = HTTP::Tiny->new(timeout => 60)->get("http://127.0.0.1:$exporter_port/metrics")->{content};
my %named = map { $_ => 1 } $node->safe_psql('postgres', 'SELECT zcsync.metrics()') =~ /^# TYPE (\S+ \S+)/mg;
my @ours = grep { /^(http_request|sync_|active_|cache_|zcsync_)/ } $exported =~ /^# TYPE (\S+ \S+)/mg;
cmp_ok(scalar @ours, '>', 20, 'the exporter has metrics of each query');
is(join(', ', grep { !$named{$_} } @ours), '', 'all of which metrics() has, with the same type');
like($exported, qr/^http_request_duration_seconds_bucket\{method="GET",route="zendesk\/incremental",server="[^"]*",status_code="200",le="\+Inf"\} [1-9]/m,
	'the histogram of calls is one, with the labels that were asked for');
like($exported, qr/^pg_exporter_last_scrape_error 0/m, 'no query of the exporter fails');
promtool('what the exporter says is as promtool wants it', join('', map { "$_\n" } grep { /(^| )(http_request|sync_|active_|cache_|zcsync_)/ } split /\n/, $exported), 'metrics');

# Each rule is evaluated, and one says what it is for.
my @rules = map { @{ $_->{rules} } } @{ ask('rules')->{groups} };
cmp_ok(scalar @rules, '>', 10, 'there are rules');
is(join(', ', map { $_->{name} } grep { $_->{health} ne 'ok' } @rules), '', 'each can be evaluated');
my ($down) = map { $_->{query} } grep { $_->{name} eq 'ZcsyncWorkerDown' } @rules;
is(scalar numbers($down), 0, 'the worker runs');
$node->safe_psql('postgres', 'SELECT zcsync.stop()');
my $deadline = time + $limit;
sleep 1 while time < $deadline && !numbers($down);
is(join(', ', map { $_->{metric}{role} } numbers($down)), 'worker', 'a worker that ended is seen');

done_testing();
