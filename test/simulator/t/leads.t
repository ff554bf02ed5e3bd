# The generator of lead exports: what it promises of its rows.

use Mojo::Base -strict, -signatures;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use Mojo::File;
use Mojo::Util qw(decode);
use Simulator::Leads;
use Test::More;

# The records of a CSV file, the first as names of the others' fields.
sub records ($file)
{
	my $text = decode('UTF-8', Mojo::File->new($file)->slurp);
	my (@records, @fields);

	while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])/gc)
	{
		my ($quoted, $plain, $end) = ($1, $2, $3);
		push @fields, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
		next if $end eq ',';
		push @records, [@fields];
		@fields = ();
	}
	is pos($text) // length $text, length $text, 'the file is well-formed to its end';
	my $names = shift @records;
	is_deeply [ grep { @$_ != @$names } @records ], [], 'each record has all fields';
	return map { my %record; @record{@$names} = @$_; \%record } @records;
}

# The digits of a phone number with its country code; Americans leave it out.
sub plain_phone ($phone)
{
	my $digits = $phone =~ s/^00/+/r =~ tr/+0-9//cdr;

	return $digits eq '' ? '' : $digits =~ /^\+/ ? $digits : length $digits == 10 ? "+1$digits" : "+$digits";
}

my $dir = tempdir(CLEANUP => 1);
my $counts = Simulator::Leads->new(1)->make(2000, exact => 0.2, fuzzy => 0.05)->write($dir);
is_deeply [ @$counts{qw(rows people merge flag)} ], [ 2000, 1500, 500, 10 ], 'as many rows as asked for, and as many duplicates';

my @truth = records("$dir/truth.csv");
my %rows = map { my $file = $_; my $n = 0; map { ("$file " . ++$n => $_) } records("$dir/$file") } qw(apollo.csv zoominfo.csv);
is scalar keys %rows, 2000, 'the truth is about all rows';
is scalar(grep { !$rows{"$_->{file} $_->{row}"} } @truth), 0, 'and about no other';

my (%person, %by_kind, @all);
for my $truth (@truth)
{
	my $row = $rows{"$truth->{file} $truth->{row}"};
	my $apollo = $truth->{file} eq 'apollo.csv';
	my @compared = (
		Simulator::Leads::plain_address($row->{ $apollo ? 'Email' : 'Email Address' }),
		lc("$row->{'First Name'} $row->{'Last Name'}") =~ s/^\s+|\s+\z//gr =~ s/\s+/ /gr,
		($row->{'Direct Phone Do Not Call'} // '') eq 'Yes' ? '' : plain_phone($apollo ? $row->{Phone} : $row->{'Direct Phone Number'} || $row->{'Mobile phone'}),
		lc Simulator::Leads::plain_company($row->{ $apollo ? 'Company' : 'Company Name' }));
	my $one = { %$truth, compared => \@compared };
	push @all, $one;
	push @{ $person{ $truth->{person} } }, $one;
	push @{ $by_kind{ $truth->{kind} } }, $one;
}
is scalar keys %person, $counts->{people}, 'people are told apart by their ids';

# Each duplicate has the e-mail of its person, or clearly a score above 0.95.
my ($lost, $doubtful) = (0, 0);
for my $same (values %person)
{
	my ($with) = grep { $_->{compared}[0] ne '' } @$same;
	for my $row (@$same)
	{
		next if $row == $same->[0] && @$same == 1;
		next if $with && $row->{compared}[0] eq $with->{compared}[0];
		$lost++ if !$with || $row->{compared}[0] ne '';
		$doubtful++ if !grep { (Simulator::Leads::score($row->{compared}, $_->{compared}) // 0) > 0.96 } grep { $_ != $row } @$same;
	}
	$lost++ if grep { $_->{expect} ne ($_ == $same->[0] ? ($_->{other} eq '' ? 'distinct' : 'flag') : 'merge') } @$same;
}
is $lost, 0, 'the rows of one person have one e-mail or none, and all but the first are to merge';
is $doubtful, 0, 'those without an e-mail score above 0.96';

# Nobody else comes near: of all pairs of rows with like names or the same
# phone none scores 0.8, but for those to be flagged.  A phone that more than
# three people have says nothing.
my %holders;
$holders{ $_->{compared}[2] }{ $_->{person} } = 1 for grep { $_->{compared}[2] ne '' } @all;
for my $row (@all)
{
	$row->{compared}[2] = '' if keys %{ $holders{ $row->{compared}[2] } // {} } > 3;
}
my (%index, %flagged, @near);
my $compared = 0;
for my $row (@all)
{
	my %trigrams = Simulator::Leads::trigrams($row->{compared}[1]);
	my (%shared, %rows);
	for my $trigram (keys %trigrams)
	{
		for my $other (@{ $index{$trigram} // [] }) { $shared{$other}++; $rows{$other} = $other }
		push @{ $index{$trigram} }, $row;
	}
	for my $other (map { $rows{$_} } grep { $shared{$_} >= 0.6 * keys %trigrams } keys %shared)
	{
		next if $other->{person} eq $row->{person};
		$compared++;
		my $score = Simulator::Leads::score($row->{compared}, $other->{compared}) // 0;
		next if $score < 0.8;
		if ($row->{kind} eq 'flag' && $other->{kind} eq 'flag') { $flagged{ $score < 0.95 ? 'flag' : 'merge' }++ }
		else { push @near, "$row->{person} $other->{person} $score" }
	}
}
cmp_ok $compared, '>', 1000, 'many pairs were compared';
is_deeply \@near, [], 'different people are clearly different';
is_deeply \%flagged, { flag => 10 }, 'those to be flagged are alike, and not too much';

# The crowd, homonyms, colleagues.
is_deeply [ map { scalar keys %$_ } grep { keys %$_ > 3 } values %holders ], [60], 'a crowd shares one number';
my %mails = map { $_->{compared}[0] => 1 } grep { $_->{expect} eq 'distinct' } map { @{ $person{ $_->{person} } } } @{ $by_kind{crowd} };
is scalar keys %mails, 60, 'with an e-mail each';
ok @{ $by_kind{homonym} } >= 10 && @{ $by_kind{two_mails} } >= 10, 'there are homonyms, and colleagues with like names';

# What naive readers stumble over.
my $apollo = decode('UTF-8', Mojo::File->new("$dir/apollo.csv")->slurp);
like $apollo, qr/"Trade fair\nhall 3"/, 'a line break in a field';
like $apollo, qr/"VP Sales ""EMEA"""/, 'quotes in a field';
like $apollo, qr/"VP, Sales"/, 'a comma in a field';
like $apollo, qr/Соколова|Αντωνίου|李|الحسن|박/, 'other scripts';
like $apollo, qr/\+\w+@(?:gmail|googlemail)\.com/i, 'Gmail with a plus';

# Deterministic, and small.
my ($again, $other) = map { tempdir(CLEANUP => 1) } 1, 2;
Simulator::Leads->new(1)->make(2000, exact => 0.2, fuzzy => 0.05)->write($again);
is_deeply [ map { Mojo::File->new("$again/$_")->slurp } qw(apollo.csv zoominfo.csv truth.csv) ], [ map { Mojo::File->new("$dir/$_")->slurp } qw(apollo.csv zoominfo.csv truth.csv) ], 'the same seed, the same files';
Simulator::Leads->new(2)->make(2000, exact => 0.2, fuzzy => 0.05)->write($other);
isnt(Mojo::File->new("$other/apollo.csv")->slurp, Mojo::File->new("$dir/apollo.csv")->slurp, 'another seed, others');
is(Simulator::Leads->new(1)->make(10, exact => 0.2, fuzzy => 0.1)->counts->{merge}, 3, 'ten rows');
ok !eval { Simulator::Leads->new(1)->make(10, exact => 0.9, fuzzy => 0.1); 1 }, 'too many duplicates are refused';

done_testing;
