"""Names of months as exports write them, in several languages, lower case and without full stops."""

from __future__ import annotations

#: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Swedish, Danish, Turkish; from January.
_NAMES = (
    "jan january januar janv janvier ene enero gen gennaio janeiro januari sty stycznia styczeń led ledna "
    "leden ocak oca jän jänner",
    "feb february februar févr févr février fév feb febrero febbraio fev fevereiro februari lut lutego "
    "luty úno února únor şubat şub",
    "mar march märz mär mrz mars marzo março mrt maart marca marzec bře března březen marts mart",
    "apr april avr avril abr abril aprile kwi kwietnia kwiecień dub dubna duben nisan nis",
    "may mai mayo mag maggio maio mei maja maj kvě května květen mayıs",
    "jun june juni juin junio giu giugno junho cze czerwca czerwiec čvn června červen haziran haz",
    "jul july juli juil juillet julio lug luglio julho lip lipca lipiec čvc července červenec temmuz tem",
    "aug august août aoû ago agosto augustus sie sierpnia sierpień srp srpna srpen augusti ağustos ağu",
    "sep sept september septembre septiembre set settembre setembro wrz września wrzesień zář září eylül eyl",
    "oct october okt oktober octobre octubre ott ottobre out outubro paź października październik říj "
    "října říjen ekim eki",
    "nov november novembre noviembre novembro lis listopada listopad kasım kas",
    "dec december dez dezember déc décembre dic diciembre dicembre dezembro gru grudnia grudzień pro "
    "prosince prosinec aralık ara",
)

#: Name to number, two digits.
NUMBERS = {name: f"{number:02d}" for number, names in enumerate(_NAMES, start=1) for name in names.split()}
#: A name in a text of a time.
PATTERN = r"([^0-9 .,/\-]+)[.]?"
