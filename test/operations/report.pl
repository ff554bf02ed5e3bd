# The report in a real browser: on a phone, in the dark, on paper; with a good, a bad
# and an empty month.  KEEP_SCREENSHOTS=directory keeps the pictures, to be looked at.

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
BAIL_OUT('chromium is not installed: apt-get install chromium') if !$chromium;

my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.key_file = 'zcsync.key'\nlog_statement = none\nzcsync.allowed_hosts = 'acme.zendesk.com,api.clickup.com'");
$node->start;
setup_zcsync($node);
$node->safe_psql('postgres', slurp_file(dirname(__FILE__) . '/report_months.sql'));
my $directory = PostgreSQL::Test::Utils::tempdir();

# Run the browser; returns what it prints.
sub browse
{
	my ($file, @options) = @_;
	local $ENV{HOME} = $directory;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'timeout', 120, $chromium, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', "--user-data-dir=$directory/profile", @options, "file://$directory/$file.html" ], '>', \$out, '2>', \$err);
	return $out;
}

# Width and height of a PNG; whether it is mostly dark needs its pixels, which the
# page tells itself instead.
sub size_of { my $png = slurp_file($_[0]); return unpack 'x16NN', $png }

for my $month ([ 'good', 'acme' ], [ 'bad', 'dev' ], [ 'empty', 'quiet' ], [ 'nasty', 'crm' ])
{
	my ($name, $account) = @$month;
	my $html = $node->safe_psql('postgres', "SELECT zcsync.report_html('$account')");
	my ($sentence) = $html =~ /<h1>(.*?)<\/h1>/;
	append_to_file("$directory/$name.html", $html);

	my $dom = browse($name, '--dump-dom');
	like($dom, qr/<title>\Q$sentence\E<\/title>/, "$name: the browser shows it, and nothing in it ran");

	for my $view ([ 'wide', 1100, 1400 ], [ 'phone', 500, 1800 ], [ 'dark', 1100, 1400, '--blink-settings=preferredColorScheme=0' ])
	{
		my ($kind, $width, $height, @more) = @$view;
		browse($name, "--screenshot=$directory/$name-$kind.png", "--window-size=$width,$height", @more);
		is(join('x', size_of("$directory/$name-$kind.png")), "${width}x$height", "$name: $kind");
	}
	isnt(slurp_file("$directory/$name-dark.png"), slurp_file("$directory/$name-wide.png"), "$name: dark looks different");
	browse($name, "--print-to-pdf=$directory/$name.pdf", '--no-pdf-header-footer');
	my $pages = () = slurp_file("$directory/$name.pdf") =~ /\/Type\s*\/Page\b(?!s)/g;
	ok($pages >= 1 && $pages <= 3, "$name: printed on $pages pages");
}

# On a phone nothing but tables is wider than the screen: a page that says how wide
# it is, in a frame of 390 pixels.
for my $name (qw(good bad empty nasty))
{
	my $html = slurp_file("$directory/$name.html") =~ s/<meta http-equiv[^>]*>//r;
	append_to_file("$directory/$name-frame.html", '<!DOCTYPE html><iframe style="width:390px;height:800px;border:0" srcdoc="' . ($html =~ s/&/&amp;/gr =~ s/"/&quot;/gr)
		  . '" onload="document.title = this.contentDocument.documentElement.scrollWidth"></iframe>');
	like(browse("$name-frame", '--dump-dom', '--virtual-time-budget=3000'), qr/<title>390<\/title>/, "$name: no wider than a phone");
}

if ($ENV{KEEP_SCREENSHOTS})
{
	copy($_, $ENV{KEEP_SCREENSHOTS}) or die "$_: $!" for glob "$directory/*.png $directory/*.pdf";
}
done_testing();
