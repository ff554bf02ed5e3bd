#!/usr/bin/perl
#
# Write exports of contacts as Apollo and ZoomInfo make them, and which of
# their rows are the same person.  See README.md.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/lib";
use Getopt::Long qw(GetOptions);
use Simulator::Leads;

my %options = (rows => 1000, seed => 1, exact => 0.20, fuzzy => 0.05);

GetOptions(\%options, 'rows=i', 'seed=i', 'exact=f', 'fuzzy=f', 'flags=i', 'out=s', 'help') && !@ARGV or exit 2;
if ($options{help} || !defined $options{out})
{
	print "usage: leads.pl --out DIR [--rows N] [--seed N] [--exact SHARE] [--fuzzy SHARE] [--flags N]\n";
	exit($options{help} ? 0 : 2);
}
-d $options{out} or mkdir $options{out} or die "leads.pl: $options{out}: $!\n";

my $leads = Simulator::Leads->new($options{seed});
my $counts = eval { $leads->make($options{rows}, map { $_ => $options{$_} } grep { defined $options{$_} } qw(exact fuzzy flags))->write($options{out}) } or die "leads.pl: $@";
print join(', ', map { "$_ $counts->{$_}" } qw(rows apollo zoominfo people distinct merge flag)) . "\n";
