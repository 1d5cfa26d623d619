"""What the columns and labels of people's lists are called, in several languages: one table each."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from anomalyclip.data.dataset import ANOMALOUS, NORMAL

#: Our name of a column -> what others call it; compared without case, spaces, underscores, hyphens, dots and accents.
_COLUMNS = {
    "image": "image img images img_path image_path image_file image_name image_filename img_name imagefile file "
    "file_name filename filepath file_path path name id image_id picture photo frame input bild bilddatei bildname "
    "bildpfad datei dateiname dateipfad pfad foto aufnahme fichier nom_fichier imagen archivo ruta immagine percorso "
    "imagem arquivo afbeelding bestand bestandsnaam image_id_class_id plik obraz zdjecie dosya goruntu resim "
    "图片 图像 文件 文件名 画像 ファイル ファイル名 "
    "이미지 파일 파일명 файл изображение снимок",
    "label": "label labels anomaly anomalous is_anomaly is_anomalous is_defect is_defective target y gt truth "
    "ground_truth class_label label_index status state result verdict decision judgement judgment defective faulty "
    "bad ng nok klasse_label bewertung ergebnis urteil befund zustand fehlerhaft defekt anomalie anormal etiquette "
    "etiqueta etichetta resultat resultado risultato ausschuss etykieta wynik ocena etiket sonuc durum "
    "标签 结果 判定 ラベル 結果 라벨 결과 판정 метка результат",
    "normal": "normal is_normal good is_good ok is_ok pass passed gut in_ordnung io bon bueno buono quality qualitaet "
    "qualitat qualite calidad usable normality "
    "healthy clean intact accept accepted approved conform conforming konform fehlerfrei "
    "defect_free no_defect no_anomaly non_defective without_defect sain sano 良品 合格 正常",
    "mask": "mask masks mask_path mask_file mask_name mask_filename segmentation ground_truth_path gt_path gt_mask "
    "annotation_path maske maskendatei maskenpfad masque mascara maschera",
    "runs": "encoded_pixels rle rles rle_mask mask_rle run_length_encoding",
    "class": "class cls_name class_name object category product part material item klasse objekt produkt teil bauteil "
    "werkstoff classe clase oggetto",
    "kind": "kind specie_name defect defect_type defect_class defect_name fault fault_type anomaly_type anomaly_class "
    "finding_labels fehler fehlerart fehlertyp fehlerklasse defekt_art defektart type_defaut defecto difetto",
    "split": "split set subset phase partition fold usage teilmenge aufteilung",
}
_LABELS = {
    NORMAL: "0 normal good ok okay pass passed accept accepted no false negative healthy clean intact defect_free "
    "gut io in_ordnung bestanden freigegeben "
    "fehlerfrei nein falsch gesund n bon sain non bueno correcto buono sano nee none no_defect "
    "no_anomaly nondefective without_defect unblemished heil tadellos mangelfrei intakt bom boa normale goed iyi "
    "free nominal inlier inliers conforme conformes conform conforming konform apto idoneo zgodny uygun kusursuz "
    "saglam dobry dobre dobra норма годен годный годные хорошо хороший хорошие 正常 良品 合格 良好 "
    "无缺陷 無缺陷 정상 양품 "
    "qualified acceptable approved perfect flawless gutteil gutteile gutbild gutbilder aprobado aprovado sana bagus "
    "完好 合格品",
    ANOMALOUS: "1 anomaly anomalous abnormal defect defective bad ko nok ng fail failed reject rejected yes true "
    "positive faulty damaged broken sick diseased ungood outlier outliers "
    "schlecht nio nicht_in_ordnung nicht_bestanden "
    "gesperrt fehler fehlerhaft defekt "
    "ausschuss ja wahr krank y mauvais defaut oui malo defecto si cattivo difetto unhealthy crack cracked mangelhaft "
    "ruim anormal anormale defeito kapot hatali kusurlu bozuk uygunsuz wadliwy wadliwe zly uszkodzony niezgodny "
    "scarto брак дефект негоден негодный негодные плохой плохие schlechtteil schlechtteile fehlerbild fehlerbilder "
    "flawed infected reprobado reprovado rechazado enferma rusak 破损 不合格品 异常 異常 不良 不良品 "
    "缺陷 不合格 瑕疵 비정상 불량 불량품",
}
# What says whether something holds, beside 0 and 1; other labels say themselves what the image is.
_TRUTHS = (
    "yes no y n true false ja nein j wahr falsch oui non vrai faux si verdadero falso vero nao sim evet hayir "
    "да нет 是 否"
)
# Behind "no", "without", "un-" or before "free" they say that all is well; words for good behind them say the contrary.
_FAULTS = (
    "anomaly anomalies abnormality abnormalities crack cracks cracked cracking damage damages damaged defect defects "
    "defective defected fault faults faulty flaw flaws flawed error errors finding findings lesion lesions tumor "
    "tumors tumour tumours disease diseased pneumonia cancer scratch scratches scratched broken blemish "
    "blemishes blemished infected infection infections demented dementia impairment impaired covid covid19 dr "
    "corrosion corroded rust rusty contamination contaminated leak leaks leakage wad wady vad fel fejl defecten "
    "fehler defekt defekte befund kratzer riss risse schaden schäden mangel mängel anomalie "
    "anomalien défaut défauts anomalies fissure fissures defecto defectos difetto difetti defeito defeitos"
)
_GOODS = (
    "ok okay good normal healthy clean intact pass passed accepted conform conforming conforme conformes "
    "konform apto idoneo gut bon bueno buono qualified acceptable approved"
)
_DENIALS = (
    "un",
    "no",
    "non",
    "not",
    "without",
    "ohne",
    "kein",
    "keine",
    "keinen",
    "nicht",
    "sans",
    "sin",
    "senza",
    "sem",
    "bez",
    "zonder",
    "utan",
    "uden",
)
_LACKS = ("free", "less", "frei", "los")
# What a program found out, which is no truth.
_OF_A_MODEL = (
    "score scores prob proba probs probability confidence conf output outputs logit logits model threshold yhat "
    "vorhersage wahrscheinlichkeit konfidenz"
)
_TELLING = 5  # letters of a column's name that tells by its meaning alone
_EMPTY = frozenset({"", "-", "none", "null", "nan", "n/a", "na", "#n/a"})


#: Letters that Unicode does not take apart into one of a to z and its mark.
_WHOLE = str.maketrans({"ß": "ss", "ł": "l", "ı": "i", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe"})


def plain(text: str) -> str:
    """How names are compared.

    >>> plain("Fehler-Art "), plain("Défaut"), plain("n.i.O."), plain("ZŁY"), plain("hatalı")
    ('fehlerart', 'defaut', 'nio', 'zly', 'hatali')
    """
    letters = unicodedata.normalize("NFKD", text.casefold().translate(_WHOLE))
    return "".join(letter for letter in letters if letter.isalnum())


_COLUMN_OF = {plain(name): ours for ours, names in _COLUMNS.items() for name in names.split()}
_LABEL_OF = {plain(name): label for label, names in _LABELS.items() for name in names.split()}
_FAULT, _GOOD = (frozenset(map(plain, str.split(words))) for words in (_FAULTS, _GOODS))
_TRUTH = frozenset(map(plain, str.split(_TRUTHS)))
_MODELS = frozenset(map(plain, str.split(_OF_A_MODEL)))
LABEL_WORDS = tuple(_LABEL_OF)


def column_of(name: str) -> str:
    """Our name of a column; its own, folded, where we have none.

    >>> column_of("Datei"), column_of("undamaged"), column_of("crack"), column_of("Follow-up")
    ('image', 'normal', 'crack', 'follow-up')
    """
    word = plain(name)
    if word not in _COLUMN_OF and len(word) >= _TELLING and label_of(name) == NORMAL:
        return "normal"  # one that names a fault may have others beside it, and none tells alone
    return _COLUMN_OF.get(word, name.strip().casefold())


def is_word_of_lists(text: str) -> bool:
    """Whether a cell is one of the words above."""
    word = plain(text)
    return word in _COLUMN_OF or word in _LABEL_OF


@lru_cache(1 << 12)  # a million rows have few words for their labels
def label_of(text: str) -> int | None:
    """0 or 1 for a label as people write it; None for anything else.

    >>> [label_of(text) for text in ("i.O.", "NG", "1,0", "0.00", "2", "scratch")]
    [0, 1, 1, 0, None, None]
    >>> [label_of(text) for text in ("No Finding", "undamaged", "scratch-free", "not ok", "uneven")]
    [0, 0, 0, 1, None]
    """
    word = text.strip()
    try:
        number = float(word.replace(",", "."))
        return {0.0: NORMAL, 1.0: ANOMALOUS}.get(number)
    except ValueError:
        letters = plain(word)
        return _LABEL_OF[letters] if letters in _LABEL_OF else _denied(letters)


def _denied(word: str) -> int | None:
    """The label of a word that denies another: "nodefects", "undamaged", "crackfree", "notok"; None for others."""
    denied = {word.removeprefix(sign) for sign in _DENIALS if word.startswith(sign)}
    if denied & _FAULT or any(word.removesuffix(sign) in _FAULT for sign in _LACKS if word.endswith(sign)):
        return NORMAL
    return ANOMALOUS if denied & _GOOD else None


@lru_cache(1 << 12)
def label_of_goodness(text: str) -> int | None:
    """`label_of` in a column that asks whether the image is good: yes and 1 are normal there; a label stays what it is.

    >>> [label_of_goodness(text) for text in ("1", "no", "true", "OK", "NG", "2")]
    [0, 1, 0, 0, 1, None]
    """
    label = label_of(text)
    return 1 - label if label is not None and is_answer(text) else label


def is_answer(text: str) -> bool:
    """Whether a cell says yes or no, in words or numbers, to what its column asks, rather than what an image is."""
    return plain(text) in _TRUTH or not any(letter.isalpha() for letter in text)


def is_of_a_model(name: str) -> bool:
    """Whether a column's name says that a program filled it: predictions and scores are no truth.

    >>> [is_of_a_model(name) for name in ("y_pred", "Predicted label", "anomaly_score", "label")]
    [True, True, True, False]
    """
    word = plain(name)
    return word in _MODELS or "pred" in word or word.endswith(("score", "prob", "probability"))


def is_empty(text: str) -> bool:
    """Whether a cell says that there is nothing: empty, a dash, or a program's word for it."""
    return text.strip().casefold() in _EMPTY
