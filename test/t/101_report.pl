# report_html(): its numbers are those of the views, nothing gets out of its place,
# and it shows no text of a record.  test/operations/report.pl looks at it in a browser.

use strict;
use warnings;
use File::Basename qw(dirname);
use Mojo::DOM;
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.key_file = 'zcsync.key'\nlog_statement = none\nzcsync.allowed_hosts = 'acme.zendesk.com,api.clickup.com'");
$node->start;
setup_zcsync($node);
sub value { return $node->safe_psql('postgres', @_) }
sub page { return Mojo::DOM->new($_[0]) }

# The cells of the table under a heading, a row a list.
sub rows
{
	my ($dom, $heading) = @_;
	my ($section) = grep { $_->at('h2') && $_->at('h2')->text eq $heading } $dom->find('section')->each;

	return map { [ map { $_->all_text } $_->find('td')->each ] } $section->find('tbody tr')->each;
}

# Nothing yet.
my $empty = page(value('SELECT zcsync.report_html()'));
is($empty->at('h1')->text, 'No change was sent or read; nothing waits for a person', 'a report of nothing');
is($empty->find('.none')->size, 10, 'each part says that there is nothing');
is($empty->find('svg')->size, 0, 'and there are no plots');

value(slurp_file(dirname(__FILE__) . '/../operations/report_months.sql'));
my %html = map { $_ => value("SELECT zcsync.report_html('$_')") } qw(acme dev quiet crm);
$html{all} = value('SELECT zcsync.report_html()');
my %page = map { $_ => page($html{$_}) } keys %html;

# ---------------------------------------------------------------------
# Numbers
# ---------------------------------------------------------------------
my $sentence = $page{acme}->at('h1')->text;
like($sentence, qr/^99\.97 % of 11,613 changes arrived within 60 s; nothing waits for a person$/, 'the first line is a sentence');
is($page{acme}->at('title')->text, $sentence, 'and the title');
my $changes = value(q{SELECT sum(done + failed) FROM zcsync.sync_daily WHERE account = 'acme' AND measure IN ('sent', 'read')});
is($changes, 11613, 'its number is that of sync_daily');
is(value(q{SELECT sum(sent) + sum(read) + sum(failed) FROM zcsync.analytics_sync(NULL, NULL, 'acme')}), $changes, 'and of analytics_sync()');
value('SELECT zcsync._take_service_levels()');
is(value(q{SELECT value FROM zcsync.slo WHERE account = 'acme' AND days = 30 AND goal = 'within 60 s'}), '99.97', 'its share is that of slo');
like($page{dev}->at('h1')->text, qr/; 7 wait for a person$/, 'what waits is counted');
is(value(q{SELECT dead_letters + route_errors + streams_failing FROM zcsync.stat_accounts WHERE account = 'dev'}), 7, 'as stat_accounts does');
my %account = map { $_->[0] => $_ } rows($page{all}, 'Accounts now');
is(join(' ', sort keys %account), 'acme crm dev quiet', 'all accounts are there');
is("$account{$_}[1] $account{$_}[6]", value("SELECT state || ' ' || to_do FROM zcsync.status WHERE account = '$_'"), "$_: state and what to run are those of status") for qw(acme dev quiet);
is("$account{$_}[3] $account{$_}[4]", value("SELECT to_char(sum(l.counted), 'FM999,990') || ' ' || min(l.value) || ' %' FROM zcsync.slo AS l WHERE l.account = '$_' AND l.days = 30 AND l.goal = 'within 60 s'"), "$_: changes and their share are those of slo") for qw(acme dev);
is("$account{$_}[5]", value("SELECT available || ' %' FROM zcsync.availability WHERE account = '$_'"), "$_: availability is that of the view") for qw(acme dev quiet);
my @jobs = rows($page{dev}, 'Which jobs failed most');
is(join(' ', map { $_ =~ s/,//gr } @{ $jobs[0] }[ 1 .. 3 ]), value(q{SELECT kind || ' ' || sum(failed) || ' ' || sum(done + failed) FROM zcsync.sync_daily WHERE account = 'dev' AND measure = 'job' GROUP BY kind ORDER BY sum(failed) DESC LIMIT 1}), 'failed jobs are those of sync_daily');
# the statement of a line is about the letters of that line only
value("UPDATE zcsync.dead_letters SET status = 409 WHERE job_id = 1; UPDATE zcsync.dead_letters SET status = NULL WHERE job_id = 2; UPDATE zcsync.dead_letters SET operation = 'upload', kind = NULL WHERE job_id = 3");
for my $line (rows(page(value("SELECT zcsync.report_html('dev')")), 'What waits for a person'))
{
	(my $letters = $line->[6]) =~ s/zcsync\.retry\(job_id\)/count(*)/;
	is(value($letters), $line->[3], "$line->[1], $line->[2]: as many are tried again as wait");
}
value("UPDATE zcsync.dead_letters SET status = 422, operation = 'push', kind = 'tasks'");
my @waits = rows($page{dev}, 'What waits for a person');
is($waits[0][3] + $waits[1][3], 7, 'what waits is told by cause');
is(join(' ', map { "$_->[3]" } sort { $b->[3] <=> $a->[3] } @waits), value(q{SELECT string_agg(n::text, ' ' ORDER BY n DESC) FROM (SELECT count(*) AS n FROM zcsync.errors WHERE account = 'dev' GROUP BY split_part(message, ':', 1)) AS x}), 'what waits is that of errors');
is(value($waits[0][6]) =~ tr/\n// + 1, 5, 'what to run runs, for each of them') if ok($waits[0][6] =~ /^SELECT zcsync\.retry/, 'with what to run');
my ($leads) = grep { $_->[1] eq 'apollo' } rows($page{crm}, 'Leads');
is(join(' ', @$leads[ 2 .. 6 ]), '1,000 200 30 10 3.0 %', 'leads are those of lead_numbers');
is(value(q{SELECT leads || ' ' || opportunities || ' ' || conversion FROM zcsync.lead_funnel WHERE source = 'apollo'}), '1000 30 3.0', 'and of lead_funnel');
my ($carried) = rows($page{acme}, 'Comments that routes carried');
is(join(' ', @$carried[ 1 .. 3 ]), '1,002 1 2', 'comments that routes carried: public, internal, private ones that crossed');
is(value(q{SELECT concat_ws(' ', date_trunc('week', day)::date, sum(public), sum(internal), sum(private_crossed)) FROM zcsync.comments_daily WHERE account = 'acme' GROUP BY day}),
	join(' ', map { s/,//r } @$carried), 'as comments_daily has it');
is(join(' ', map { @$_[ 1 .. 3 ] } rows($page{dev}, 'Comments that routes carried')), '0 1 0', 'by the account of the originals');
is(scalar(rows(page(value("SELECT zcsync.report_html('acme', current_date - 60, current_date - 40)")), 'Comments that routes carried')), 0, 'and of these days only');
my %allowed = map { $_ => value("SELECT round(100.0 * sum(d.done) / (30 * c.allowed), 2) || ' %' FROM zcsync.sync_daily AS d CROSS JOIN (SELECT substring(unit FROM '[0-9]+')::numeric AS allowed FROM zcsync.calculate_capacity() WHERE item = 'calls of $_, class api') AS c WHERE d.account = '$_' AND d.measure = 'calls' GROUP BY c.allowed") } qw(acme dev);
is(join('|', map { join ' ', @$_ } rows($page{$_}, "Calls of the vendors' APIs")),
	value("SELECT concat_ws(' ', account, kind, to_char(sum(done), 'FM999,999,990'), '$allowed{$_}', to_char(sum(failed), 'FM999,990'), '–') FROM zcsync.sync_daily WHERE account = '$_' AND measure = 'calls' GROUP BY account, kind"),
	"$_: calls, their share of what is allowed, and throttled ones are those of sync_daily and calculate_capacity()") for qw(acme dev);
# days to come allow nothing, nor do days before the account was there
sub share { return (rows(page(value("SELECT zcsync.report_html('acme', $_[0], $_[1])")), "Calls of the vendors' APIs"))[0][3] }
my $share = share('current_date - 4', 'current_date');
is(share('current_date - 4', 'current_date + 20'), $share, 'a report of days to come: the share of calls is that until today');
value("UPDATE zcsync.accounts SET created_at = date_trunc('day', now(), 'UTC') - interval '4 days' + interval '1 hour' WHERE name = 'acme'; DELETE FROM zcsync.daily_numbers WHERE account_id = zcsync.account('acme') AND measure = 'calls' AND day < (now() AT TIME ZONE 'UTC')::date - 4");
is(share('current_date - 20', 'current_date'), $share, 'and of days before the account was added: that since then');
is(join('|', map { join ' ', @$_ } rows($page{acme}, 'Conversations')),
	value(q{SELECT concat_ws(' ', account, opened, resolved, zcsync._span(make_interval(secs => (3600 * first_reply_hours)::float8)), zcsync._span(make_interval(secs => (3600 * resolution_hours)::float8))) FROM zcsync.stat_agents WHERE account = 'acme'}),
	'tickets opened and resolved, first replies and resolutions are those of stat_agents');
is(join('|', map { join ' ', @$_ } rows($page{dev}, 'Outages')),
	value(q{SELECT string_agg(concat_ws(' ', coalesce(a.name, '(all)'), o.cause, to_char(o.began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), zcsync._span(o.ended_at - o.began_at)), '|' ORDER BY o.began_at)
		FROM zcsync.outages AS o LEFT JOIN zcsync.accounts AS a USING (account_id)}), 'outages are those noted');
# the plots: what is sent by dev, a point and a bar for each day of sync_daily
my $days = q{FROM (SELECT day, done, failed, p50_ms, p95_ms, max(p95_ms) OVER () AS slowest, max(done + failed) OVER () AS most FROM zcsync.sync_daily WHERE account = 'dev' AND measure = 'sent') AS d};
is($page{dev}->find("circle.d$_->[0]")->map(attr => 'cy')->join(' '), value("SELECT string_agg(round(132 - 120 * $_->[1] / slowest, 1)::text, ' ' ORDER BY day) $days"), "$_->[1] by day is that of sync_daily") for [ 1 => 'p50_ms' ], [ 2 => 'p95_ms' ];
is($page{dev}->find("rect.b$_->[0]")->map(attr => 'height')->join(' '), value("SELECT string_agg(round(120 * $_->[1]::numeric / most, 1)::text, ' ' ORDER BY day) $days"), "what is $_->[1] by day is that of sync_daily") for [ 1 => 'done' ], [ 2 => 'failed' ];
is($page{dev}->find('svg text.e')->map('text')->grep(qr/\d/)->grep(sub { !/^0$|^20\d\d-/ })->join(' '),
	value("SELECT concat_ws(' ', zcsync._ms_text(max(slowest)), zcsync._ms_text(max(slowest) / 2), max(most), max(most) / 2) $days"), 'and the scales say how much that is');
is(scalar(rows($page{dev}, 'Outages')), 2, 'outages of the account and of all');
is($page{acme}->find('svg')->size, 2, 'two plots');
is($page{acme}->find('rect.b1')->size, 30, 'of thirty days');
is(page(value("SELECT zcsync.report_html('acme', current_date - 1, current_date - 1)"))->find('rect.b1')->size, 1, 'or of one');

# ---------------------------------------------------------------------
# Nothing gets out of its place
# ---------------------------------------------------------------------
for my $name (sort keys %html)
{
	unlike($html{$name}, qr/<(?!\/?(?:html|head|meta|title|style|body|h1|h2|p|section|div|table|thead|tbody|tr|th|td|code|span|svg|path|text|polyline|circle|rect)\b|!DOCTYPE html>)/, "$name: no other element is made");
	is(join(' ', grep { /^on/i } map { keys %{ $_->attr } } $page{$name}->find('*')->each), '', "$name: and no handler");
	is(join(' ', sort { $a cmp $b } keys %{ { map { $_ => 1 } map { keys %{ $_->attr } } $page{$name}->find('*')->each } }) =~ s/\b(?:aria-label|charset|class|content|cx|cy|d|height|http-equiv|lang|name|points|r|role|viewBox|viewbox|width|x|y)\b ?//gr, '', "$name: attributes are those it has itself");
	unlike($html{$name}, qr/https?:|url\(|\@import/, "$name: nothing is loaded");
	unlike($html{$name}, qr/text of a customer/, "$name: no text of a record or message of a vendor");
	unlike($html{$name}, qr/[\x00-\x08\x0b-\x1f]/, "$name: no control character");
}
my %source = map { $_->[1] => 1 } rows($page{crm}, 'Leads');
ok($source{$_}, "the name is shown as it is: $_") for '</td></table><script>document.title = "taken"</script>', '"><svg onload=alert(1)>', q{' onmouseover='alert(1)};
like($html{dev}, qr/&lt;img src=x onerror=alert\(1\)&gt;/, 'a class of failure with an element in it is text');

# ---------------------------------------------------------------------
# Who may read it, and what is asked for wrongly
# ---------------------------------------------------------------------
value('CREATE ROLE a_reader; CREATE ROLE a_limited_reader; CREATE ROLE somebody');
value(q{SELECT zcsync.grant_reader('a_reader'), zcsync.grant_reader('a_limited_reader', 'acme')});
like(value('SET ROLE a_reader; SELECT zcsync.report_html()'), qr/wait for a person/, 'a reader reads it');
for my $role (qw(a_limited_reader somebody))
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE $role; SELECT zcsync.report_html('acme')");
	like($err, qr/permission denied/, "$role does not");
}
for my $call ([ q{'nobody'}, qr/account "nobody" does not exist/ ], [ q{NULL, '2026-02-01', '2026-01-01'}, qr/a report from 2026-02-01 to 2026-01-01 cannot be made/ ], [ q{NULL, '2020-01-01', '2026-01-01'}, qr/at most 401/ ])
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT zcsync.report_html($call->[0])");
	like($err, $call->[1], "report_html($call->[0])");
}

done_testing();
